-- The two users of users.xml, for a server whose users are made by SQL. As an administrator:
--   clickhouse-client --param_collector="$(sha256sum <secrets/clickhouse-collector | cut -c-64)" \
--     --param_reader="$(sha256sum <secrets/clickhouse-reader | cut -c-64)" <grants.sql
-- Or without a password, by a client's certificate: IDENTIFIED WITH ssl_certificate CN 'pipeline-trace'.
-- The tests check that it says the same as users.xml, and that ClickHouse's engine understands it; a server has not been run
-- with it.

CREATE SETTINGS PROFILE IF NOT EXISTS pipeline_trace_reader SETTINGS
    -- Nothing but SELECT. 1 would also forbid the settings that come with a query, such as its time limit.
    readonly = 2,
    -- A query that takes longer ends with an error. In seconds. A query may ask for another limit, up to MAX, but not for 0,
    -- which is none.
    max_execution_time = 30 MIN 1 MAX 120,
    -- Memory of one query, and of all of this user's at a time, so that inserts always have some. In bytes.
    max_memory_usage = 2000000000 MIN 1 MAX 2000000000,
    max_memory_usage_for_user = 4000000000 MIN 1 MAX 4000000000,
    -- Rows and bytes of an answer. The largest one is a trace: at most 200,000 spans.
    max_result_rows = 1000000 MIN 1 MAX 1000000,
    max_result_bytes = 1000000000 MIN 1 MAX 1000000000,
    -- More queries at once end with an error. Each page asks a few, one after the other.
    max_concurrent_queries_for_user = 20 MIN 1 MAX 20;

CREATE USER IF NOT EXISTS reader IDENTIFIED WITH sha256_hash BY {reader:String} SETTINGS PROFILE 'pipeline_trace_reader';
-- The spans.
GRANT SELECT ON otel.otel_traces TO reader;
-- When each trace was, so that not all days are searched for it.
GRANT SELECT ON otel.otel_traces_trace_id_ts TO reader;
-- The thin table of runs, stages and deploys, if you make it: runs.sql.
GRANT SELECT ON otel.otel_traces_runs TO reader;
-- Logs, if the Collector writes any.
GRANT SELECT ON otel.otel_logs TO reader;

CREATE USER IF NOT EXISTS collector IDENTIFIED WITH sha256_hash BY {collector:String};
GRANT SELECT, INSERT ON otel.* TO collector;
-- For create_schema: true. Where the tables are made by somebody else, leave it out.
GRANT CREATE DATABASE, CREATE TABLE, CREATE VIEW ON otel.* TO collector;
