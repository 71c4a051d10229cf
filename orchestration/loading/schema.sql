-- The raw tables: what loading writes and dbt's sources read. One statement per table.
-- Every row knows its file (`file_id`, see raw.loaded_files) and its line or position there.
-- `*_key` is a keyed hash (first 128 bits of HMAC-SHA256, as UUID): 16 bytes instead of 64, which
-- joins and groups several times faster over 100 million rows.
-- `duplicate_reason` is null for the rows that count; the others stay, so that a corrected or
-- removed file can hand the row over to its repeat.
create schema if not exists raw;

create table if not exists raw.loaded_files (
    file_id bigint not null,                 -- stable: the first 63 bits of sha256(path)
    path varchar not null,                   -- in the landing folder; 'a.zip::member' inside a zip
    landed_path varchar not null,            -- the file on disk: the zip, or the same as path
    source varchar not null,                 -- amplitude_events, zendesk_tickets, surveys ...
    status varchar not null,                 -- loaded, duplicate, unreadable, unrecognised
    reason varchar,                          -- why a file is not (wholly) loaded, and what to do
    size bigint not null,                    -- bytes of landed_path
    stored_size bigint not null,             -- bytes of the member in its zip, before inflating
    modified_ns bigint not null,             -- of landed_path: unchanged size and time need no hash
    landed_hash varchar not null,            -- sha256 of landed_path
    content_hash varchar not null,           -- sha256 of the stored member
    contract_hash varchar not null,          -- of the contract it was read with: a change reloads
    duplicate_of varchar,                    -- path of the file with the same content
    exported_hour timestamp,                 -- from the name of an Amplitude file, UTC
    rows_in bigint not null,
    loaded bigint not null,
    duplicates bigint not null,
    quarantined bigint not null,
    not_in_plan bigint not null,
    erased bigint not null,
    newest_at timestamp,                     -- newest export time in the file, UTC: makes the as-of
    loaded_by varchar not null,              -- run id
    origin varchar                           -- keyed hash of the content before an erasure cut it
);

create table if not exists raw.quarantined_rows (
    file_id bigint not null,
    line_number bigint,                      -- null: the file as a whole
    line_hash uuid,                          -- keyed; `make show-line` prints the line itself
    reason varchar not null
);

-- What the exports hold and the contract does not name: counted, never loaded.
create table if not exists raw.unknown_fields (
    file_id bigint not null,
    source varchar not null,
    field varchar not null,                  -- 'event_type: x', 'event_properties.y', a CSV header
    occurrences bigint not null,
    is_sampled boolean not null              -- fields are counted in a sample, event types in full
);

-- Reporting days whose events changed since the marts were last built.
create table if not exists raw.touched_days (
    activity_date date not null,             -- in the reporting zone
    load_number bigint not null
);

-- Which run writes the warehouse; publishing refuses a stamp that is not its own.
create table if not exists raw.run_stamp (
    run_id varchar not null,
    load_number bigint not null              -- counts loads; orders touched_days
);

-- Which dbt code and variables the marts were built with: others call for a full refresh.
create table if not exists raw.builds (
    run_id varchar not null,
    load_number bigint not null,
    project_digest varchar not null          -- sha256 of the project's files and the variables
);

create table if not exists raw.events (
    file_id bigint not null,
    line_number bigint,                      -- only of events that are reports (outcome_reported)
    event_id uuid not null,                  -- Amplitude's uuid
    app varchar not null,                    -- Amplitude's project
    event_type varchar not null,
    event_at timestamp not null,             -- UTC
    server_uploaded_at timestamp not null,   -- UTC
    user_key uuid,
    device_key uuid,
    amplitude_key uuid,
    email_key uuid,
    session_id bigint,                       -- null: out of session (Amplitude writes -1)
    platform varchar,
    country varchar,
    course_id varchar,
    plan varchar,                            -- free, SPARK, degree: mapped by the tracking plan
    spoken_language varchar,
    channel varchar,
    outcome_type varchar,
    outcome_date date,
    outcome_date_text varchar,               -- as written, where it is not a date
    credited varchar,                        -- yes, no, null = unknown
    would_not_have_happened varchar,         -- yes, no, null = unknown
    quantity double,
    gender varchar,                          -- equity attributes: never published beside a learner
    disability varchar,
    region varchar,
    prior_education varchar,
    properties map(varchar, varchar),        -- what the plan keeps besides
    is_excluded boolean not null,            -- bots and test accounts
    insert_key ubigint,                     -- keyed hash of (app, device, $insert_id)
    duplicate_reason varchar                 -- same_uuid, client_retry
);

create table if not exists raw.tracking_plan (
    app varchar not null,
    event_type varchar not null,
    meaning varchar not null,                -- one row per meaning; 'none' where it has none
    description varchar
);

create table if not exists raw.courses (
    course_id varchar not null,
    title varchar,
    language varchar
);

create table if not exists raw.amplitude_merges (
    file_id bigint not null,
    line_number bigint not null,
    row_hash uuid not null,
    amplitude_key uuid not null,             -- the absorbed id
    merged_amplitude_key uuid not null,      -- the id that stays
    merged_at timestamp not null,            -- server time, UTC
    duplicate_reason varchar
);

create table if not exists raw.zendesk_tickets (
    file_id bigint not null,
    line_number bigint not null,
    row_hash uuid not null,                  -- keyed hash of the row: ties of updated_at
    ticket_id bigint not null,
    created_at timestamp not null,
    updated_at timestamp not null,
    status varchar,                          -- new, open, pending, hold, solved, closed, deleted
    channel varchar,
    priority varchar,
    requester_key uuid,                      -- keyed Zendesk user id
    assignee_key uuid,
    satisfaction varchar,                    -- good, bad, offered, unoffered
    organization_id bigint,
    duplicate_reason varchar
);

create table if not exists raw.zendesk_users (
    file_id bigint not null,
    line_number bigint not null,
    row_hash uuid not null,
    zendesk_user_key uuid not null,
    user_key uuid,                           -- from external_id: the school's own user id
    email_key uuid,
    role varchar,                            -- end-user, agent, admin
    language varchar,                        -- of the locale: fr of fr-CA
    created_at timestamp,
    updated_at timestamp not null,
    duplicate_reason varchar
);

-- Ticket events (children) and audits (events) in one shape; no free text.
create table if not exists raw.zendesk_ticket_events (
    file_id bigint not null,
    line_number bigint not null,             -- of the audit
    row_hash uuid not null,
    audit_id bigint not null,
    ticket_id bigint not null,
    position integer not null,               -- of the event in its audit
    created_at timestamp not null,
    event_type varchar not null,             -- Create, Change, Comment ...
    field_name varchar,                      -- status, priority, group_id ...: of Create and Change
    previous_value varchar,
    value varchar,                           -- only of fields that hold no free text
    author_key uuid,
    is_public boolean,                       -- of a comment
    duplicate_reason varchar
);

create table if not exists raw.zendesk_satisfaction_ratings (
    file_id bigint not null,
    line_number bigint not null,
    row_hash uuid not null,
    rating_id bigint not null,
    ticket_id bigint,
    score varchar,
    requester_key uuid,
    created_at timestamp not null,
    updated_at timestamp not null,
    duplicate_reason varchar
);

create table if not exists raw.zendesk_calls (
    file_id bigint not null,
    line_number bigint not null,
    row_hash uuid not null,
    call_id bigint not null,
    ticket_id bigint,
    direction varchar,
    completion_status varchar,
    requester_key uuid,
    wait_seconds bigint,
    talk_seconds bigint,
    created_at timestamp not null,
    updated_at timestamp not null,
    duplicate_reason varchar
);

create table if not exists raw.zendesk_call_legs (
    file_id bigint not null,
    line_number bigint not null,
    row_hash uuid not null,
    leg_id bigint not null,
    call_id bigint not null,
    leg_type varchar,                        -- customer, agent, external, supervisor
    completion_status varchar,
    agent_key uuid,
    talk_seconds bigint,
    created_at timestamp not null,
    updated_at timestamp not null,
    duplicate_reason varchar
);

create table if not exists raw.zendesk_organizations (
    file_id bigint not null,
    line_number bigint not null,
    row_hash uuid not null,
    organization_id bigint not null,         -- no name: it can be a person's
    is_deleted boolean not null,
    created_at timestamp,
    updated_at timestamp not null,
    duplicate_reason varchar
);

create table if not exists raw.zendesk_metric_events (
    file_id bigint not null,
    line_number bigint not null,
    row_hash uuid not null,
    metric_event_id bigint not null,
    ticket_id bigint not null,
    metric varchar not null,                 -- reply_time, resolution_time ...
    instance bigint not null,                -- of reply_time: 1 the first reply, then the next ones
    event_type varchar not null,             -- activate, pause, fulfill, apply_sla, breach ...
    happened_at timestamp not null,
    is_deleted boolean not null,             -- a breach that was taken back
    policy_id bigint,
    target_seconds bigint,
    is_business_time boolean,
    duplicate_reason varchar
);

create table if not exists raw.zendesk_sla_policies (
    file_id bigint not null,
    line_number bigint not null,
    row_hash uuid not null,
    policy_id bigint not null,
    title varchar,                           -- a label of the help desk's own
    targets struct(priority varchar, metric varchar, target_seconds bigint,
        is_business_time boolean)[] not null,
    created_at timestamp,
    updated_at timestamp not null,
    duplicate_reason varchar
);

-- Every version counts: business hours of the past are those that were in force.
create table if not exists raw.zendesk_schedules (
    file_id bigint not null,
    line_number bigint not null,
    row_hash uuid not null,
    schedule_id bigint not null,
    time_zone varchar not null,              -- IANA
    intervals struct(start_minute integer, end_minute integer)[] not null,   -- since Sunday 0:00
    created_at timestamp not null,
    updated_at timestamp not null,
    duplicate_reason varchar
);

create table if not exists raw.zendesk_holidays (
    file_id bigint not null,
    line_number bigint not null,
    row_hash uuid not null,
    holiday_id bigint not null,
    schedule_id bigint not null,
    starts_on date not null,
    ends_on date not null,                   -- included
    duplicate_reason varchar
);

-- Rows of anybody's CSV, read through its mapping: surveys, coach entries, contracts.
create table if not exists raw.survey_responses (
    file_id bigint not null,
    line_number bigint not null,
    row_hash uuid not null,
    response_id uuid not null,               -- keyed hash of the mapped id, else of file and line
    survey varchar not null,
    source varchar not null,                 -- survey, coach, contract
    submitted_at timestamp,                  -- UTC; null where the file has no date
    period date,                             -- first day of the mapping's constant period
    wave varchar,                            -- of an invitation, and so are the next four
    wave_date date,
    invited_at timestamp,                    -- UTC
    is_delivered boolean,                    -- null = unknown
    is_answered boolean,
    user_key uuid,
    email_key uuid,
    respondent_key uuid,                     -- an id that means something in this survey only
    course_id varchar,
    plan varchar,
    language varchar,
    method varchar,
    nps_score varchar,                       -- as answered: the mart judges what is a score
    is_outcome_report boolean not null,
    outcome_type varchar,
    outcome_date date,
    outcome_date_text varchar,               -- as written, where it is not a date
    credited varchar,                        -- yes, no, null = unknown
    would_not_have_happened varchar,
    looking_for_work varchar,                -- yes, no, null = unknown
    income_currency varchar,                 -- of both incomes among the numbers
    income_kind varchar,                     -- person, household
    gender varchar,                          -- equity attributes: never published beside a learner
    disability varchar,
    region varchar,
    prior_education varchar,
    numbers map(varchar, double),            -- answers that are numbers, by role or kept name
    implausible varchar[],                   -- names of numbers out of bounds, or that are none
    answers map(varchar, varchar),           -- what the mapping keeps besides
    comment varchar,                         -- masked; never published but in the restricted file
    themes varchar[],                        -- of the comment, by the word lists; null without one
    duplicate_reason varchar
);

create table if not exists raw.satismeter_responses (
    file_id bigint not null,
    line_number bigint not null,
    row_hash uuid not null,
    response_id uuid not null,
    created_at timestamp not null,           -- UTC
    survey varchar,                          -- the campaign
    method varchar,
    nps_score varchar,                       -- the rating as answered
    is_dismissed boolean not null,
    is_pending boolean not null,
    user_key uuid,
    email_key uuid,
    respondent_key uuid,                     -- anonymous id
    plan varchar,
    language varchar,
    course_id varchar,
    is_delivered boolean,                    -- null = nobody knows how many were delivered
    comment varchar,                         -- masked; never published but in the restricted file
    themes varchar[],                        -- of the comment, by the word lists; null without one
    duplicate_reason varchar
);
