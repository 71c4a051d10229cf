"""The names that Zendesk gives to time zones, which are those of Ruby on Rails."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from orchestration.loading.sql import literal

# What a zone is called on Zendesk's screens and in its exports, by its IANA name. Names that are
# the last part of the IANA name (`Paris` of `Europe/Paris`) are listed as `Paris` alone.
_CITIES: Final[Mapping[str, str]] = {
    "Africa": "Algiers Cairo Casablanca Harare Johannesburg Monrovia Nairobi",
    "America": "Bogota Caracas Chihuahua Guatemala Guyana La_Paz Lima Mazatlan Mexico_City "
    "Montevideo Monterrey Puerto_Rico Santiago Tijuana",
    "Asia": "Almaty Baghdad Baku Bangkok Chongqing Colombo Dhaka Hong_Kong Irkutsk Jakarta "
    "Jerusalem Kabul Kamchatka Karachi Kathmandu Kolkata Krasnoyarsk Kuala_Lumpur Kuwait Magadan "
    "Muscat Novosibirsk Rangoon Riyadh Seoul Shanghai Singapore Srednekolymsk Taipei Tashkent "
    "Tbilisi Tehran Tokyo Urumqi Vladivostok Yakutsk Yekaterinburg Yerevan",
    "Atlantic": "Azores",
    "Australia": "Adelaide Brisbane Darwin Hobart Melbourne Perth Sydney",
    "Europe": "Amsterdam Athens Belgrade Berlin Bratislava Brussels Bucharest Budapest Copenhagen "
    "Dublin Helsinki Istanbul Kaliningrad Kiev Lisbon Ljubljana London Madrid Minsk Moscow Paris "
    "Prague Riga Rome Samara Sarajevo Skopje Sofia Stockholm Tallinn Vienna Vilnius Volgograd "
    "Warsaw Zagreb Zurich",
    "Pacific": "Auckland Fiji Guam Majuro Midway Noumea Port_Moresby",
}
_OTHERS: Final[Mapping[str, str]] = {
    "Abu Dhabi": "Asia/Muscat",
    "Alaska": "America/Juneau",
    "American Samoa": "Pacific/Pago_Pago",
    "Arizona": "America/Phoenix",
    "Astana": "Asia/Almaty",
    "Atlantic Time (Canada)": "America/Halifax",
    "Beijing": "Asia/Shanghai",
    "Bern": "Europe/Zurich",
    "Brasilia": "America/Sao_Paulo",
    "Buenos Aires": "America/Argentina/Buenos_Aires",
    "Canberra": "Australia/Canberra",
    "Cape Verde Is.": "Atlantic/Cape_Verde",
    "Central America": "America/Guatemala",
    "Central Time (US & Canada)": "America/Chicago",
    "Chatham Is.": "Pacific/Chatham",
    "Chennai": "Asia/Kolkata",
    "Eastern Time (US & Canada)": "America/New_York",
    "Edinburgh": "Europe/London",
    "Ekaterinburg": "Asia/Yekaterinburg",
    "Georgetown": "America/Guyana",
    "Greenland": "America/Godthab",
    "Guadalajara": "America/Mexico_City",
    "Hanoi": "Asia/Bangkok",
    "Hawaii": "Pacific/Honolulu",
    "Indiana (East)": "America/Indiana/Indianapolis",
    "International Date Line West": "Etc/GMT+12",
    "Islamabad": "Asia/Karachi",
    "Kyiv": "Europe/Kiev",
    "Marshall Is.": "Pacific/Majuro",
    "Mid-Atlantic": "Atlantic/South_Georgia",
    "Midway Island": "Pacific/Midway",
    "Mountain Time (US & Canada)": "America/Denver",
    "Mumbai": "Asia/Kolkata",
    "New Caledonia": "Pacific/Noumea",
    "New Delhi": "Asia/Kolkata",
    "Newfoundland": "America/St_Johns",
    "Nuku'alofa": "Pacific/Tongatapu",
    "Osaka": "Asia/Tokyo",
    "Pacific Time (US & Canada)": "America/Los_Angeles",
    "Pretoria": "Africa/Johannesburg",
    "Quito": "America/Lima",
    "Samoa": "Pacific/Apia",
    "Sapporo": "Asia/Tokyo",
    "Saskatchewan": "America/Regina",
    "Solomon Is.": "Pacific/Guadalcanal",
    "Sri Jayawardenepura": "Asia/Colombo",
    "St. Petersburg": "Europe/Moscow",
    "Tokelau Is.": "Pacific/Fakaofo",
    "Ulaan Bataar": "Asia/Ulaanbaatar",
    "Ulaanbaatar": "Asia/Ulaanbaatar",
    "UTC": "Etc/UTC",
    "Wellington": "Pacific/Auckland",
    "West Central Africa": "Africa/Algiers",
}
ZONES: Final[Mapping[str, str]] = {
    **{
        city.replace("_", " "): f"{continent}/{city}"
        for continent, cities in _CITIES.items()
        for city in cities.split()
    },
    **_OTHERS,
}


def iana_zone(text: str) -> str:
    """SQL: the IANA name of a time zone by Zendesk's name for it or by its own; null if unknown."""
    named = " ".join(
        f"when {literal(name)} then {literal(zone)}" for name, zone in sorted(ZONES.items())
    )
    known = f"(select any_value(name) from pg_timezone_names() where name = trim({text}))"
    return f"coalesce(case trim({text}) {named} end, {known})"
