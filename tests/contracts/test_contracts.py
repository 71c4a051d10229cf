from __future__ import annotations

from pathlib import Path
from textwrap import dedent

import duckdb
import pytest
import yaml

from orchestration.contracts import Contracts, SurveyMapping, TrackingPlan, read_contracts
from orchestration.contracts.survey_mapping import DIRECTIVES
from orchestration.errors import ContractError
from orchestration.settings import REPOSITORY

PLAN = """
kind: tracking_plan
name: School
projects: ["100042"]
plans: {free: free, spark: SPARK}
roles:
  plan: [event.plan, user.plan]
  email: [user.email]
yes: [yes, true]
no: [no, false]
exclude:
  - {property: user.is_bot, equals: [true]}
events:
  signed_up: {meanings: [signup], keep: [method]}
  declared: {meanings: [outcome_reported]}
  seen:
    description: kept without a role
"""
MAPPING = """
kind: survey_mapping
survey: alumni
source: survey
files: ["surveys/alumni*.csv"]
columns:
  submitted_at: {header: Date, formats: ["%d/%m/%Y"]}
  outcome_type: {header: Type, values: {"Got a job": new_job, Nothing: null}}
"""


def sources(folder: Path, **files: str) -> Path:
    for name, text in files.items():
        path = folder / name.replace("__", "/").replace("_yml", ".yml").replace("_csv", ".csv")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(dedent(text), encoding="utf-8")
    return folder


def read(folder: Path, **files: str) -> Contracts:
    return read_contracts(sources(folder, **files))


def plan_of(folder: Path, text: str) -> TrackingPlan:
    return read(folder, plan_yml=text).tracking_plans[0]


def problem(folder: Path, **files: str) -> str:
    with pytest.raises(ContractError) as error:
        read(folder, **files)
    return str(error.value)


def test_a_tracking_plan_is_read_as_it_is_written(tmp_path: Path) -> None:
    plan = plan_of(tmp_path, PLAN)
    assert plan.projects == ("100042",)
    assert plan.plans == {"free": "free", "spark": "SPARK"}
    assert plan.roles["plan"] == ("event.plan", "user.plan")
    assert plan.exclude[0].property == "user.is_bot"
    assert plan.events["signed_up"].meanings == ("signup",)
    assert plan.events["signed_up"].keep == ("method",)
    assert plan.events["seen"].meanings == ()
    assert plan.path == tmp_path / "plan.yml"


def test_words_that_yaml_would_take_for_booleans_stay_words(tmp_path: Path) -> None:
    plan = plan_of(tmp_path, PLAN)
    assert plan.yes == ("yes", "true")
    assert plan.no == ("no", "false")
    assert plan.exclude[0].equals == ("true",)


def test_numbers_and_dates_stay_texts(tmp_path: Path) -> None:
    plan = plan_of(tmp_path, PLAN.replace('["100042"]', "[0100042]"))
    assert plan.projects == ("0100042",)
    mapping = read(
        tmp_path,
        plan_yml=PLAN,
        survey_yml=MAPPING.replace(
            '{header: Date, formats: ["%d/%m/%Y"]}',
            "{position: 3}\n  period: {constant: 2017-06-01}",
        ),
    ).survey_mappings[0]
    assert mapping.columns["period"].constant == "2017-06-01"
    assert mapping.columns["submitted_at"].position == 3


def test_a_null_answer_is_no_answer(tmp_path: Path) -> None:
    mapping = read(tmp_path, survey_yml=MAPPING).survey_mappings[0]
    assert mapping.columns["outcome_type"].values == {"Got a job": "new_job", "Nothing": None}


def test_contracts_of_subfolders_and_courses_are_read(tmp_path: Path) -> None:
    contracts = read(
        tmp_path,
        plan_yml=PLAN,
        examples__survey_yml=MAPPING,
        satismeter_yml="kind: satismeter\ntraits: {plan: plan}\nplans: {spark: SPARK}\n",
        courses_csv='course_id,title,language\nweb,"Web, from scratch",fr\nsql,SQL,\n',
    )
    assert [mapping.survey for mapping in contracts.survey_mappings] == ["alumni"]
    assert contracts.satismeter is not None
    assert contracts.satismeter.plans == {"spark": "SPARK"}
    assert [(course.course_id, course.title, course.language) for course in contracts.courses] == [
        ("web", "Web, from scratch", "fr"),
        ("sql", "SQL", None),
    ]
    assert contracts.tracking_plan_for("100042") is contracts.tracking_plans[0]
    assert contracts.tracking_plan_for("1") is None


def test_the_contracts_of_the_repository_are_valid() -> None:
    read_contracts(REPOSITORY / "data" / "sources")


def test_the_plans_of_the_real_data_say_what_its_events_mean() -> None:
    contracts = read_contracts(REPOSITORY / "data" / "sources" / "examples")
    chat, course = (contracts.tracking_plan_for(project) for project in ("150001", "150002"))
    assert chat is not None
    assert course is not None
    assert {name: event.meanings for name, event in (chat.events | course.events).items()} == {
        "message_sent": ("learning",),
        "resource_viewed": ("learning",),
        "course_registered": ("signup", "course_enrolled"),
        "course_unregistered": ("course_withdrawn",),
        "course_completed": ("course_completed",),
        "course_failed": ("course_failed",),
    }
    assert [(rule.property, rule.equals) for rule in chat.exclude] == [("user.is_bot", ("true",))]
    assert course.roles["quantity"] == ("event.clicks",)


def test_every_problem_of_a_file_is_named_with_file_key_and_remedy(tmp_path: Path) -> None:
    text = problem(
        tmp_path,
        plan_yml=PLAN.replace("[signup]", "[sign_up]").replace("name: School", "nam: School"),
    )
    assert text.startswith(str(tmp_path / "plan.yml"))
    assert "name: is missing; add it." in text
    assert "nam: is not a key that is known here; correct its spelling or remove it." in text
    assert "events.signed_up.meanings[0]: 'sign_up' is not one of 'signup'" in text


@pytest.mark.parametrize(
    ("old", "new", "key", "remedy"),
    [
        ('["100042"]', "[]", "projects", "correct it"),
        ('["100042"]', "[100042x]", "projects[0]", "write its digits"),
        ('["100042"]', '["1", "1"]', "projects", "keep it once"),
        ("spark: SPARK", "spark: spark", "plans.spark", "'free', 'SPARK' or 'degree'"),
        ("[event.plan, user.plan]", "[plan]", "roles.plan[0]", "event.<property>"),
        ("[event.plan, user.plan]", "[event.]", "roles.plan[0]", "event.<property>"),
        ("[event.plan, user.plan]", "event.plan", "roles.plan", "[a, b]"),
        ("[event.plan, user.plan]", "[column.ip_address]", "roles.plan[0]", "column."),
        ("plan: [event.plan, user.plan]", "plam: [event.plan]", "roles.plam", "write one of these"),
        ("[event.plan, user.plan]", "[event.plan, event.Plan]", "roles.plan", "differ in upper"),
        ("[method]", "[method, Method]", "events.signed_up.keep", "differ in upper"),
        ("[method]", "[method, method]", "events.signed_up.keep", "keep it once"),
        ("[user.email]", "[event.method]", "events.signed_up.keep", "never enter the warehouse"),
        ("no: [no, false]", "no: [no, True]", "yes, no", "keep it in one"),
        ("equals: [true]", "equals: []", "exclude[0].equals", "correct it"),
        ("kept without a role", "[a]", "events.seen.description", "must be a text"),
    ],
)
def test_a_wrong_tracking_plan_is_refused(
    tmp_path: Path, old: str, new: str, key: str, remedy: str
) -> None:
    assert old in PLAN
    text = problem(tmp_path, plan_yml=PLAN.replace(old, new))
    assert f"plan.yml: {key}: " in text
    assert remedy in text


@pytest.mark.parametrize(
    ("old", "new", "key", "remedy"),
    [
        ("source: survey", "source: form", "source", "'survey', 'coach' or 'contract'"),
        ('"surveys/alumni*.csv"', '"../x.csv"', "files[0]", "in the landing folder"),
        ('"%d/%m/%Y"', '"%d/%m"', "columns.submitted_at.formats[0]", "year (%Y"),
        ('"%d/%m/%Y"', '"%d/%m/%Y %Q"', "columns.submitted_at.formats[0]", "%Q"),
        ('"%d/%m/%Y"', '"%d/%m/%Y %-p"', "columns.submitted_at.formats[0]", "%-p"),
        ('"%d/%m/%Y"', '"%d/%m/%Y %"', "columns.submitted_at.formats[0]", "not a part of a date"),
        ('"%d/%m/%Y"', '"%d/%m/%Y %I:%M"', "columns.submitted_at.formats[0]", "%p"),
        ("new_job", "new job", "columns.outcome_type.values", "write one of these"),
        ("Nothing: null", "got a job: null", "columns.outcome_type", "keep one"),
        ("{header: Type, ", "{", "columns.outcome_type", "add `header:`"),
        ("{header: Type, ", "{constant: new_job, ", "columns.outcome_type", "remove them"),
        ("{header: Type, ", "{header: Type, position: 0, ", "columns.outcome_type.position", "1"),
        ("header: Type", "heading: Type", "columns.outcome_type.heading", "spelling"),
        ("submitted_at: {", "outcome_date: {", "columns", "period"),
        ("outcome_type:", "credit:", "columns.credit", "write one of these"),
        (
            "outcome_type: {header: Type, ",
            "user_id: {header: Type, ",
            "columns.user_id.values",
            "id",
        ),
        (
            "columns:",
            "format: {delimiter: ';;'}\ncolumns:",
            "format.delimiter",
            "single character",
        ),
        ("columns:", "format: {encoding: utf-99}\ncolumns:", "format.encoding", "cp1252"),
        ("columns:", "format: {encoding: zlib}\ncolumns:", "format.encoding", "cp1252"),
        ("columns:", "format: {encoding: idna}\ncolumns:", "format.encoding", "cp1252"),
        ("columns:", "format: {encoding: unicode-escape}\ncolumns:", "format.encoding", "cp1252"),
        ("columns:", "format: {quote: ','}\ncolumns:", "format", "same character"),
        ("columns:", "format: {header_rows: many}\ncolumns:", "format.header_rows", "correct it"),
        (
            "columns:",
            "format: {header_rows: 0}\ncolumns:",
            "columns.submitted_at.header",
            "position",
        ),
        ("columns:", "timezone: Paris\ncolumns:", "timezone", "Europe/Paris"),
        (
            "columns:",
            "keep: {when: {header: Date, formats: ['%Y-%m-%d']}}\ncolumns:",
            "keep.when",
            "",
        ),
        (
            "columns:",
            "keep: {mail: {header: E}}\ncolumns:\n  email: {header: E}",
            "keep.mail",
            "keyed hash",
        ),
        ("outcome_type: {", "wave: {header: W}\n  outcome_type: {", "columns.wave", "invited_at"),
        (
            "outcome_type: {",
            "delivered: {header: D}\n  outcome_type: {",
            "columns.delivered",
            "add `invited_at`, or remove",
        ),
        (
            "outcome_type: {",
            "invited_at: {header: I}\n  outcome_type: {",
            "columns.invited_at",
            "add `wave_date`",
        ),
        (
            'submitted_at: {header: Date, formats: ["%d/%m/%Y"]}',
            "period: {constant: 2024-01-01}\n  invited_at: {header: I}",
            "columns.invited_at",
            "nothing says who answered",
        ),
        (
            "outcome_type: {",
            "invited_at: {constant: soon}\n  wave: {constant: w}\n  outcome_type: {",
            "columns.invited_at.constant",
            "YYYY-MM-DD",
        ),
        (
            "outcome_type: {",
            "invited_at: {header: I}\n  wave_date: {header: I, values: {a: b}}\n  outcome_type: {",
            "columns.wave_date.values",
            "remove them",
        ),
        (
            "outcome_type: {",
            "invited_at: {header: I}\n  wave: {header: W}\n  delivered: {header: D}\n"
            "  delivered_at: {header: A}\n  outcome_type: {",
            "columns.delivered_at",
            "keep one",
        ),
        (
            "outcome_type: {",
            "invited_at: {header: I}\n  wave: {header: E}\n  email: {header: E}\n  outcome_type: {",
            "columns.wave",
            "keyed hash",
        ),
        (
            "outcome_type: {",
            "invited_at: {header: I}\n  wave: {header: W}\n"
            "  answered: {header: A, values: {Done: finished}}\n  outcome_type: {",
            "columns.answered.values",
            "yes, no",
        ),
        (
            'source: survey\nfiles: ["surveys/alumni*.csv"]\ncolumns:',
            'source: coach\nfiles: ["c*.csv"]\ncolumns:\n  invited_at: {header: I}',
            "columns.invited_at",
            "invites nobody",
        ),
        (
            'outcome_type: {header: Type, values: {"Got a job": new_job, Nothing: null}}',
            "credited: {header: C}",
            "columns.credited",
            "needs `outcome_type`",
        ),
        (
            "columns:",
            "columns:\n  income_before: {header: B}",
            "columns.income_before",
            "add `income_after`",
        ),
        (
            "columns:",
            "columns:\n  income_before: {header: B}\n  income_after: {header: A}",
            "columns.income_before",
            "in which currency",
        ),
        (
            "columns:",
            "columns:\n  income_before: {constant: 3}",
            "columns.income_before",
            "name its column",
        ),
        (
            "columns:",
            "columns:\n  language: {header: L, bounds: {low: 1}}",
            "columns.language.bounds",
            "only numbers",
        ),
        ("columns:", "keep: {n: {header: N, bounds: {}}}\ncolumns:", "keep.n", "limits nothing"),
        (
            "columns:",
            "keep: {n: {header: N, bounds: {low: 2, high: 1}}}\ncolumns:",
            "keep.n",
            "exchange them",
        ),
        (
            "columns:",
            "keep: {n: {header: N, bounds: {low: many}}}\ncolumns:",
            "keep.n.bounds.low",
            "correct it",
        ),
        (
            "columns:",
            "keep: {n: {header: N, values: {a: b}, bounds: {low: 2}}}\ncolumns:",
            "keep.n",
            "keep one",
        ),
    ],
)
def test_a_wrong_survey_mapping_is_refused(
    tmp_path: Path, old: str, new: str, key: str, remedy: str
) -> None:
    assert old in MAPPING
    text = problem(tmp_path, survey_yml=MAPPING.replace(old, new))
    assert f"survey.yml: {key}" in text
    assert remedy in text


@pytest.mark.parametrize("directive", sorted(DIRECTIVES))
def test_every_part_of_a_date_that_a_mapping_may_name_is_known_to_duckdb(directive: str) -> None:
    written = f"%Y-%m-%d %{directive}{' %p' if directive in ('I', '-I') else ''}"
    mapping = MAPPING.replace("%d/%m/%Y", written if directive != "p" else f"{written} %I")
    assert SurveyMapping.parse(yaml.safe_load(mapping), Path("a.yml"))
    duckdb.execute("select try_strptime('x', $1)", [written])


def test_a_file_without_a_kind_is_refused(tmp_path: Path) -> None:
    assert "a.yml: kind: is missing; write one of tracking_plan" in problem(tmp_path, a_yml="x: 1")
    assert "a.yml: kind: 'plan' is not known" in problem(tmp_path, a_yml="kind: plan")
    assert "a.yml: holds no keys" in problem(tmp_path, a_yml="")


def test_broken_yaml_is_refused_with_its_line(tmp_path: Path) -> None:
    assert "a.yml: line 2, column" in problem(tmp_path, a_yml="kind: [\n]: }")
    text = problem(tmp_path, a_yml=PLAN + "\nname: Other\n")
    assert "'name' is written twice; keep one of them" in text
    (tmp_path / "a.yml").write_bytes(b"kind: \xff")
    with pytest.raises(ContractError, match="Save the file as UTF-8"):
        read_contracts(tmp_path)


def test_one_project_belongs_to_one_plan(tmp_path: Path) -> None:
    text = problem(tmp_path, a_yml=PLAN, b_yml=PLAN)
    assert str(tmp_path / "a.yml") in text
    assert str(tmp_path / "b.yml") in text
    assert "both claim 100042" in text


def test_one_file_belongs_to_one_mapping(tmp_path: Path) -> None:
    assert "both claim 'surveys/alumni*.csv'" in problem(tmp_path, a_yml=MAPPING, b_yml=MAPPING)
    contracts = read(tmp_path, a_yml=MAPPING, b_yml=MAPPING.replace("alumni*.csv", "**/*_2026.csv"))
    assert contracts.survey_mapping_for("surveys/alumni_2025.csv") is not None
    with pytest.raises(ContractError) as error:
        contracts.survey_mapping_for("surveys/alumni_2026.csv")
    assert str(tmp_path / "a.yml") in str(error.value)
    assert str(tmp_path / "b.yml") in str(error.value)


@pytest.mark.parametrize(
    ("glob", "path", "matches"),
    [
        ("surveys/*.csv", "surveys/a.csv", True),
        ("surveys/*.csv", "surveys/deep/a.csv", False),
        ("surveys/**/*.csv", "surveys/deep/er/a.csv", True),
        ("surveys/**/*.csv", "surveys/a.csv", True),
        ("surveys/a?.csv", "surveys/a1.csv", True),
        ("surveys/a[1].csv", "surveys/a[1].csv", True),
        ("surveys/a[1].csv", "surveys/a1.csv", False),
        ("surveys/*.csv", "surveys/a.csv.gz", True),
        ("surveys/a*.csv", "surveys/export.zip::a1.csv", True),
        ("surveys/a*.csv", "surveys/export.zip::b1.csv", False),
        ("surveys/*.csv", "surveysXa.csv", False),
    ],
)
def test_globs_match_paths_of_the_landing_folder(
    tmp_path: Path, glob: str, path: str, matches: bool
) -> None:
    mapping = read(tmp_path, a_yml=MAPPING.replace("surveys/alumni*.csv", glob)).survey_mappings[0]
    assert mapping.matches(path) is matches


@pytest.mark.parametrize(
    ("text", "remedy"),
    [
        ("course,title\nweb,Web\n", "line 1"),
        ("course_id,price\nweb,1\n", "line 1"),
        ("course_id,title\nweb,Web, again\n", "line 2: has 3 fields"),
        ("course_id\nweb\n\nweb\n", "line 4, course_id: 'web' stands in line 2, too"),
        ("course_id,title\n,Web\n", "line 2, course_id: is empty"),
    ],
)
def test_wrong_courses_are_refused(tmp_path: Path, text: str, remedy: str) -> None:
    found = problem(tmp_path, courses_csv=text)
    assert "courses.csv" in found
    assert remedy in found


def test_descriptions_and_order_do_not_change_a_plans_fingerprint(tmp_path: Path) -> None:
    before = plan_of(tmp_path, PLAN).fingerprint
    assert plan_of(tmp_path, PLAN.replace("without a role", "for later")).fingerprint == before
    assert plan_of(tmp_path, PLAN.replace("[yes, true]", "[true, yes]")).fingerprint == before
    assert plan_of(tmp_path, PLAN.replace("[signup]", "[login]")).fingerprint == before


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("[method]", "[method, campaign]"),
        ("[event.plan, user.plan]", "[user.plan, event.plan]"),
        ("spark: SPARK", "spark: degree"),
        ("equals: [true]", "equals: [yes]"),
        ("[outcome_reported]", "[login]"),
        ("  declared: {meanings: [outcome_reported]}\n", ""),
    ],
)
def test_what_is_read_changes_a_plans_fingerprint(tmp_path: Path, old: str, new: str) -> None:
    before = plan_of(tmp_path, PLAN).fingerprint
    assert old in PLAN
    assert plan_of(tmp_path, PLAN.replace(old, new)).fingerprint != before


def test_a_mappings_fingerprint_follows_its_columns_but_not_its_globs(tmp_path: Path) -> None:
    def fingerprint(text: str) -> str:
        return read(tmp_path, a_yml=text).survey_mappings[0].fingerprint

    before = fingerprint(MAPPING)
    assert fingerprint(MAPPING.replace("alumni*", "a*")) == before
    assert fingerprint(MAPPING.replace("header: Type", "header: Kind")) != before
    assert fingerprint(MAPPING.replace("%d/%m/%Y", "%m/%d/%Y")) != before


def test_any_change_of_meaning_changes_the_fingerprint_of_all_contracts(tmp_path: Path) -> None:
    courses = "course_id,title\nweb,Web\n"
    before = read(tmp_path, a_yml=PLAN, courses_csv=courses).fingerprint
    assert read(tmp_path, a_yml=PLAN, courses_csv=courses).fingerprint == before
    changed = PLAN.replace("[signup]", "[login]")
    assert read(tmp_path, a_yml=changed, courses_csv=courses).fingerprint != before
    renamed = courses.replace("Web", "The web")
    assert read(tmp_path, a_yml=PLAN, courses_csv=renamed).fingerprint != before
