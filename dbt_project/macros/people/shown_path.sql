{#-
    A path of the landing folder, or a text that quotes one, as people are shown it: what
    holds an e-mail address is masked, but for folders and endings, and so is a number with + or a
    single 0 in front. Dates, hours, projects and counters have neither. The patterns are those of
    orchestration/loading/shown.py.
-#}
{% macro shown_path(path) -%}
    {%- set address = "(?i)[^/: ]+(?:@|＠|%40)[^/: ]+?((?:[.](?:json|csv|tsv|txt|zip|gz|xlsx))*)([/: ]|$)" -%}
    {%- set number = "(^|[^0-9])(?:[+][1-9](?:[ .-]?[0-9]){6,14}|0[1-9][0-9]{7,9})([^0-9]|$)" -%}
    {%- set masked = replaced(path, address, "[e-mail]\\1\\2") -%}
    {#- Twice: what stands between two numbers belongs to the first one. -#}
    {{- replaced(replaced(masked, number, "\\1[phone]\\2"), number, "\\1[phone]\\2") -}}
{%- endmacro %}
