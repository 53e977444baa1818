-- Runs, stages and deploys in a table of their own: what lists, years and a change's path are about, a 25th of all spans. An
-- administrator applies it once. ClickHouse then fills it with each insert, and pipeline-trace uses it where it is there.
--   clickhouse-client <runs-json.sql
-- For spans in another table or database, replace otel.otel_traces everywhere; _runs must stay in the end of this table's name.
-- Where the Collector's exporter says `json: false`, take runs.sql. TTL is for how long: as the exporter's `ttl`.
-- Written by scripts/runs_table.py. Compare it after an update of pipeline-trace; where it has changed, drop the view and the
-- table, and apply it again.

CREATE TABLE IF NOT EXISTS otel.otel_traces_runs
(
    Timestamp DateTime64(9) CODEC(Delta, ZSTD(1)),
    TraceId String CODEC(ZSTD(1)),
    SpanId String CODEC(ZSTD(1)),
    ParentSpanId String CODEC(ZSTD(1)),
    TraceState String CODEC(ZSTD(1)),
    SpanName LowCardinality(String) CODEC(ZSTD(1)),
    SpanKind LowCardinality(String) CODEC(ZSTD(1)),
    ServiceName LowCardinality(String) CODEC(ZSTD(1)),
    ResourceAttributes JSON CODEC(ZSTD(1)),
    ScopeName String CODEC(ZSTD(1)),
    ScopeVersion String CODEC(ZSTD(1)),
    SpanAttributes JSON CODEC(ZSTD(1)),
    Duration UInt64 CODEC(ZSTD(1)),
    StatusCode LowCardinality(String) CODEC(ZSTD(1)),
    StatusMessage String CODEC(ZSTD(1)),
    `Events.Timestamp` Array(DateTime64(9)) CODEC(ZSTD(1)),
    `Events.Name` Array(LowCardinality(String)) CODEC(ZSTD(1)),
    `Events.Attributes` Array(JSON) CODEC(ZSTD(1)),
    `Links.TraceId` Array(String) CODEC(ZSTD(1)),
    `Links.SpanId` Array(String) CODEC(ZSTD(1)),
    `Links.TraceState` Array(String) CODEC(ZSTD(1)),
    `Links.Attributes` Array(JSON) CODEC(ZSTD(1)),
    ResourceAttributesKeys Array(LowCardinality(String)) CODEC(ZSTD(1)),
    SpanAttributesKeys Array(LowCardinality(String)) CODEC(ZSTD(1)),
    Kind LowCardinality(String) CODEC(ZSTD(1)),
    Level UInt8 CODEC(ZSTD(1)),
    Pipeline LowCardinality(String) CODEC(ZSTD(1)),
    Run String CODEC(ZSTD(1)),
    Result LowCardinality(String) CODEC(ZSTD(1)),
    Service LowCardinality(String) CODEC(ZSTD(1)),
    Environment LowCardinality(String) CODEC(ZSTD(1)),
    Version String CODEC(ZSTD(1)),
    Revision String CODEC(ZSTD(1)),
    Change String CODEC(ZSTD(1)),
    Worker LowCardinality(String) CODEC(ZSTD(1)),
    Host LowCardinality(String) CODEC(ZSTD(1)),
    INDEX idx_traceid TraceId TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX idx_revision Revision TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX idx_version Version TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX idx_change Change TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX idx_run Run TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX idx_level Level TYPE minmax GRANULARITY 1,
    INDEX idx_time Timestamp TYPE minmax GRANULARITY 1
)
ENGINE = MergeTree
PARTITION BY toYYYYMM(Timestamp)
ORDER BY (Kind, Pipeline, toDateTime(Timestamp))
TTL toDateTime(Timestamp) + toIntervalHour(9600)
SETTINGS ttl_only_drop_parts = 1;

CREATE MATERIALIZED VIEW IF NOT EXISTS otel.otel_traces_runs_mv TO otel.otel_traces_runs AS
SELECT
    Timestamp, TraceId, SpanId, ParentSpanId, TraceState,
    SpanName, SpanKind, ServiceName, ResourceAttributes, ScopeName,
    ScopeVersion, SpanAttributes, Duration, StatusCode, StatusMessage,
    `Events.Timestamp`, `Events.Name`, `Events.Attributes`, `Links.TraceId`, `Links.SpanId`,
    `Links.TraceState`, `Links.Attributes`, ResourceAttributesKeys, SpanAttributesKeys,
    coalesce(nullIf(ifNull(CAST(SpanAttributes.`jenkins`.`type`, 'Nullable(String)'), ''), ''), nullIf(ifNull(CAST(SpanAttributes.`ansible`.`type`, 'Nullable(String)'), ''), ''), if(isNotNull(SpanAttributes.`cicd`.`pipeline`.`result`), 'run', '')) AS Kind,
    if((isNotNull(SpanAttributes.`cicd`.`pipeline`.`result`) OR ifNull(CAST(SpanAttributes.`ansible`.`type`, 'Nullable(String)'), '') = 'playbook' OR ifNull(CAST(SpanAttributes.`cicd`.`pipeline`.`task`.`type`, 'Nullable(String)'), '') = 'deploy' OR (ParentSpanId = '' AND Revision != '')), 3, 2) AS Level,
    coalesce(nullIf(ifNull(CAST(SpanAttributes.`cicd`.`pipeline`.`name`, 'Nullable(String)'), ''), ''), ifNull(CAST(ResourceAttributes.`cicd`.`pipeline`.`name`, 'Nullable(String)'), '')) AS Pipeline,
    coalesce(nullIf(ifNull(CAST(SpanAttributes.`cicd`.`pipeline`.`run`.`id`, 'Nullable(String)'), ''), ''), ifNull(CAST(ResourceAttributes.`cicd`.`pipeline`.`run`.`id`, 'Nullable(String)'), '')) AS Run,
    coalesce(nullIf(ifNull(CAST(SpanAttributes.`cicd`.`pipeline`.`result`, 'Nullable(String)'), ''), ''), nullIf(ifNull(CAST(SpanAttributes.`cicd`.`pipeline`.`task`.`run`.`result`, 'Nullable(String)'), ''), ''), if(StatusCode = 'Error', 'failure', '')) AS Result,
    if(Kind IN ('agent', 'block', 'branch', 'cleanup', 'host', 'input', 'play', 'queue', 'role', 'stage', 'step', 'task'), '', coalesce(nullIf(ifNull(CAST(SpanAttributes.`deployment`.`name`, 'Nullable(String)'), ''), ''), nullIf(ifNull(CAST(ResourceAttributes.`deployment`.`name`, 'Nullable(String)'), ''), ''), nullIf(ifNull(CAST(SpanAttributes.`jenkins`.`parameter`.`DEPLOYMENT_NAME`, 'Nullable(String)'), ''), ''), nullIf(ifNull(CAST(SpanAttributes.`jenkins`.`parameter`.`DEPLOY_NAME`, 'Nullable(String)'), ''), ''), nullIf(ifNull(CAST(SpanAttributes.`jenkins`.`parameter`.`APP_NAME`, 'Nullable(String)'), ''), ''), nullIf(ifNull(CAST(SpanAttributes.`jenkins`.`parameter`.`APPLICATION`, 'Nullable(String)'), ''), ''), nullIf(ifNull(CAST(SpanAttributes.`jenkins`.`parameter`.`SERVICE`, 'Nullable(String)'), ''), ''), ifNull(CAST(SpanAttributes.`jenkins`.`parameter`.`COMPONENT`, 'Nullable(String)'), ''))) AS Service,
    if(Kind IN ('agent', 'block', 'branch', 'cleanup', 'host', 'input', 'play', 'queue', 'role', 'stage', 'step', 'task'), '', transform(replaceRegexpAll(lower(trimBoth(coalesce(nullIf(ifNull(CAST(SpanAttributes.`deployment`.`environment`.`name`, 'Nullable(String)'), ''), ''), nullIf(ifNull(CAST(ResourceAttributes.`deployment`.`environment`.`name`, 'Nullable(String)'), ''), ''), nullIf(ifNull(CAST(SpanAttributes.`jenkins`.`parameter`.`DEPLOYMENT_ENVIRONMENT`, 'Nullable(String)'), ''), ''), nullIf(ifNull(CAST(SpanAttributes.`jenkins`.`parameter`.`DEPLOY_ENVIRONMENT`, 'Nullable(String)'), ''), ''), nullIf(ifNull(CAST(SpanAttributes.`jenkins`.`parameter`.`DEPLOY_ENV`, 'Nullable(String)'), ''), ''), nullIf(ifNull(CAST(SpanAttributes.`jenkins`.`parameter`.`TARGET_ENVIRONMENT`, 'Nullable(String)'), ''), ''), nullIf(ifNull(CAST(SpanAttributes.`jenkins`.`parameter`.`TARGET_ENV`, 'Nullable(String)'), ''), ''), nullIf(ifNull(CAST(SpanAttributes.`jenkins`.`parameter`.`ENVIRONMENT`, 'Nullable(String)'), ''), ''), ifNull(CAST(SpanAttributes.`jenkins`.`parameter`.`ENV`, 'Nullable(String)'), '')))), '\\b(pre|non)[-_ ]?prod(?:uction)?\\b', '\\1prod'), ['int', 'dev', 'testing', 'stage', 'stg', 'prod', 'prd', 'live'], ['integration', 'development', 'test', 'staging', 'staging', 'production', 'production', 'production'])) AS Environment,
    if(Kind IN ('agent', 'block', 'branch', 'cleanup', 'host', 'input', 'play', 'queue', 'role', 'stage', 'step', 'task'), '', coalesce(nullIf(ifNull(CAST(SpanAttributes.`artifact`.`version`, 'Nullable(String)'), ''), ''), nullIf(ifNull(CAST(ResourceAttributes.`artifact`.`version`, 'Nullable(String)'), ''), ''), nullIf(ifNull(CAST(SpanAttributes.`jenkins`.`parameter`.`APP_VERSION`, 'Nullable(String)'), ''), ''), nullIf(ifNull(CAST(SpanAttributes.`jenkins`.`parameter`.`VERSION`, 'Nullable(String)'), ''), ''), nullIf(ifNull(CAST(SpanAttributes.`jenkins`.`parameter`.`RELEASE`, 'Nullable(String)'), ''), ''), ifNull(CAST(SpanAttributes.`jenkins`.`parameter`.`IMAGE_TAG`, 'Nullable(String)'), ''))) AS Version,
    if(Kind IN ('agent', 'block', 'branch', 'cleanup', 'host', 'input', 'play', 'queue', 'role', 'stage', 'step', 'task'), '', coalesce(nullIf(extract(lower(coalesce(nullIf(ifNull(CAST(SpanAttributes.`jenkins`.`parameter`.`COMMIT`, 'Nullable(String)'), ''), ''), nullIf(ifNull(CAST(SpanAttributes.`jenkins`.`parameter`.`GIT_COMMIT`, 'Nullable(String)'), ''), ''), nullIf(ifNull(CAST(SpanAttributes.`jenkins`.`parameter`.`COMMIT_SHA`, 'Nullable(String)'), ''), ''), nullIf(ifNull(CAST(SpanAttributes.`jenkins`.`parameter`.`REVISION`, 'Nullable(String)'), ''), ''), nullIf(ifNull(CAST(SpanAttributes.`jenkins`.`parameter`.`GIT_SHA`, 'Nullable(String)'), ''), ''), nullIf(ifNull(CAST(SpanAttributes.`jenkins`.`parameter`.`CI_COMMIT_SHA`, 'Nullable(String)'), ''), ''), ifNull(CAST(SpanAttributes.`jenkins`.`parameter`.`GITHUB_SHA`, 'Nullable(String)'), ''))), '^[0-9a-f]{7,64}$'), ''), lower(coalesce(nullIf(ifNull(CAST(SpanAttributes.`vcs`.`ref`.`head`.`revision`, 'Nullable(String)'), ''), ''), ifNull(CAST(ResourceAttributes.`vcs`.`ref`.`head`.`revision`, 'Nullable(String)'), ''))))) AS Revision,
    if(Kind IN ('agent', 'block', 'branch', 'cleanup', 'host', 'input', 'play', 'queue', 'role', 'stage', 'step', 'task'), '', coalesce(nullIf(ifNull(CAST(SpanAttributes.`vcs`.`change`.`id`, 'Nullable(String)'), ''), ''), ifNull(CAST(ResourceAttributes.`vcs`.`change`.`id`, 'Nullable(String)'), ''))) AS Change,
    coalesce(nullIf(ifNull(CAST(SpanAttributes.`cicd`.`worker`.`name`, 'Nullable(String)'), ''), ''), ifNull(CAST(ResourceAttributes.`cicd`.`worker`.`name`, 'Nullable(String)'), '')) AS Worker,
    if(ifNull(CAST(SpanAttributes.`ansible`.`type`, 'Nullable(String)'), '') = 'host', coalesce(nullIf(ifNull(CAST(SpanAttributes.`ansible`.`host`.`name`, 'Nullable(String)'), ''), ''), SpanName), '') AS Host
FROM otel.otel_traces
WHERE Level = 3 OR Kind IN ('branch', 'run', 'stage');

-- What is there already, once. Spans that came since the view was made are then there twice, and read once. Where there are
-- months of spans, run it for one after the other, so that each ends soon:
--   … AND Timestamp >= '2026-10-01' AND Timestamp < '2026-11-01'
INSERT INTO otel.otel_traces_runs
    (Timestamp, TraceId, SpanId, ParentSpanId, TraceState,
    SpanName, SpanKind, ServiceName, ResourceAttributes, ScopeName,
    ScopeVersion, SpanAttributes, Duration, StatusCode, StatusMessage,
    `Events.Timestamp`, `Events.Name`, `Events.Attributes`, `Links.TraceId`, `Links.SpanId`,
    `Links.TraceState`, `Links.Attributes`, ResourceAttributesKeys, SpanAttributesKeys, Kind,
    Level, Pipeline, Run, Result, Service,
    Environment, Version, Revision, Change, Worker,
    Host)
SELECT
    Timestamp, TraceId, SpanId, ParentSpanId, TraceState,
    SpanName, SpanKind, ServiceName, ResourceAttributes, ScopeName,
    ScopeVersion, SpanAttributes, Duration, StatusCode, StatusMessage,
    `Events.Timestamp`, `Events.Name`, `Events.Attributes`, `Links.TraceId`, `Links.SpanId`,
    `Links.TraceState`, `Links.Attributes`, ResourceAttributesKeys, SpanAttributesKeys,
    coalesce(nullIf(ifNull(CAST(SpanAttributes.`jenkins`.`type`, 'Nullable(String)'), ''), ''), nullIf(ifNull(CAST(SpanAttributes.`ansible`.`type`, 'Nullable(String)'), ''), ''), if(isNotNull(SpanAttributes.`cicd`.`pipeline`.`result`), 'run', '')) AS Kind,
    if((isNotNull(SpanAttributes.`cicd`.`pipeline`.`result`) OR ifNull(CAST(SpanAttributes.`ansible`.`type`, 'Nullable(String)'), '') = 'playbook' OR ifNull(CAST(SpanAttributes.`cicd`.`pipeline`.`task`.`type`, 'Nullable(String)'), '') = 'deploy' OR (ParentSpanId = '' AND Revision != '')), 3, 2) AS Level,
    coalesce(nullIf(ifNull(CAST(SpanAttributes.`cicd`.`pipeline`.`name`, 'Nullable(String)'), ''), ''), ifNull(CAST(ResourceAttributes.`cicd`.`pipeline`.`name`, 'Nullable(String)'), '')) AS Pipeline,
    coalesce(nullIf(ifNull(CAST(SpanAttributes.`cicd`.`pipeline`.`run`.`id`, 'Nullable(String)'), ''), ''), ifNull(CAST(ResourceAttributes.`cicd`.`pipeline`.`run`.`id`, 'Nullable(String)'), '')) AS Run,
    coalesce(nullIf(ifNull(CAST(SpanAttributes.`cicd`.`pipeline`.`result`, 'Nullable(String)'), ''), ''), nullIf(ifNull(CAST(SpanAttributes.`cicd`.`pipeline`.`task`.`run`.`result`, 'Nullable(String)'), ''), ''), if(StatusCode = 'Error', 'failure', '')) AS Result,
    if(Kind IN ('agent', 'block', 'branch', 'cleanup', 'host', 'input', 'play', 'queue', 'role', 'stage', 'step', 'task'), '', coalesce(nullIf(ifNull(CAST(SpanAttributes.`deployment`.`name`, 'Nullable(String)'), ''), ''), nullIf(ifNull(CAST(ResourceAttributes.`deployment`.`name`, 'Nullable(String)'), ''), ''), nullIf(ifNull(CAST(SpanAttributes.`jenkins`.`parameter`.`DEPLOYMENT_NAME`, 'Nullable(String)'), ''), ''), nullIf(ifNull(CAST(SpanAttributes.`jenkins`.`parameter`.`DEPLOY_NAME`, 'Nullable(String)'), ''), ''), nullIf(ifNull(CAST(SpanAttributes.`jenkins`.`parameter`.`APP_NAME`, 'Nullable(String)'), ''), ''), nullIf(ifNull(CAST(SpanAttributes.`jenkins`.`parameter`.`APPLICATION`, 'Nullable(String)'), ''), ''), nullIf(ifNull(CAST(SpanAttributes.`jenkins`.`parameter`.`SERVICE`, 'Nullable(String)'), ''), ''), ifNull(CAST(SpanAttributes.`jenkins`.`parameter`.`COMPONENT`, 'Nullable(String)'), ''))) AS Service,
    if(Kind IN ('agent', 'block', 'branch', 'cleanup', 'host', 'input', 'play', 'queue', 'role', 'stage', 'step', 'task'), '', transform(replaceRegexpAll(lower(trimBoth(coalesce(nullIf(ifNull(CAST(SpanAttributes.`deployment`.`environment`.`name`, 'Nullable(String)'), ''), ''), nullIf(ifNull(CAST(ResourceAttributes.`deployment`.`environment`.`name`, 'Nullable(String)'), ''), ''), nullIf(ifNull(CAST(SpanAttributes.`jenkins`.`parameter`.`DEPLOYMENT_ENVIRONMENT`, 'Nullable(String)'), ''), ''), nullIf(ifNull(CAST(SpanAttributes.`jenkins`.`parameter`.`DEPLOY_ENVIRONMENT`, 'Nullable(String)'), ''), ''), nullIf(ifNull(CAST(SpanAttributes.`jenkins`.`parameter`.`DEPLOY_ENV`, 'Nullable(String)'), ''), ''), nullIf(ifNull(CAST(SpanAttributes.`jenkins`.`parameter`.`TARGET_ENVIRONMENT`, 'Nullable(String)'), ''), ''), nullIf(ifNull(CAST(SpanAttributes.`jenkins`.`parameter`.`TARGET_ENV`, 'Nullable(String)'), ''), ''), nullIf(ifNull(CAST(SpanAttributes.`jenkins`.`parameter`.`ENVIRONMENT`, 'Nullable(String)'), ''), ''), ifNull(CAST(SpanAttributes.`jenkins`.`parameter`.`ENV`, 'Nullable(String)'), '')))), '\\b(pre|non)[-_ ]?prod(?:uction)?\\b', '\\1prod'), ['int', 'dev', 'testing', 'stage', 'stg', 'prod', 'prd', 'live'], ['integration', 'development', 'test', 'staging', 'staging', 'production', 'production', 'production'])) AS Environment,
    if(Kind IN ('agent', 'block', 'branch', 'cleanup', 'host', 'input', 'play', 'queue', 'role', 'stage', 'step', 'task'), '', coalesce(nullIf(ifNull(CAST(SpanAttributes.`artifact`.`version`, 'Nullable(String)'), ''), ''), nullIf(ifNull(CAST(ResourceAttributes.`artifact`.`version`, 'Nullable(String)'), ''), ''), nullIf(ifNull(CAST(SpanAttributes.`jenkins`.`parameter`.`APP_VERSION`, 'Nullable(String)'), ''), ''), nullIf(ifNull(CAST(SpanAttributes.`jenkins`.`parameter`.`VERSION`, 'Nullable(String)'), ''), ''), nullIf(ifNull(CAST(SpanAttributes.`jenkins`.`parameter`.`RELEASE`, 'Nullable(String)'), ''), ''), ifNull(CAST(SpanAttributes.`jenkins`.`parameter`.`IMAGE_TAG`, 'Nullable(String)'), ''))) AS Version,
    if(Kind IN ('agent', 'block', 'branch', 'cleanup', 'host', 'input', 'play', 'queue', 'role', 'stage', 'step', 'task'), '', coalesce(nullIf(extract(lower(coalesce(nullIf(ifNull(CAST(SpanAttributes.`jenkins`.`parameter`.`COMMIT`, 'Nullable(String)'), ''), ''), nullIf(ifNull(CAST(SpanAttributes.`jenkins`.`parameter`.`GIT_COMMIT`, 'Nullable(String)'), ''), ''), nullIf(ifNull(CAST(SpanAttributes.`jenkins`.`parameter`.`COMMIT_SHA`, 'Nullable(String)'), ''), ''), nullIf(ifNull(CAST(SpanAttributes.`jenkins`.`parameter`.`REVISION`, 'Nullable(String)'), ''), ''), nullIf(ifNull(CAST(SpanAttributes.`jenkins`.`parameter`.`GIT_SHA`, 'Nullable(String)'), ''), ''), nullIf(ifNull(CAST(SpanAttributes.`jenkins`.`parameter`.`CI_COMMIT_SHA`, 'Nullable(String)'), ''), ''), ifNull(CAST(SpanAttributes.`jenkins`.`parameter`.`GITHUB_SHA`, 'Nullable(String)'), ''))), '^[0-9a-f]{7,64}$'), ''), lower(coalesce(nullIf(ifNull(CAST(SpanAttributes.`vcs`.`ref`.`head`.`revision`, 'Nullable(String)'), ''), ''), ifNull(CAST(ResourceAttributes.`vcs`.`ref`.`head`.`revision`, 'Nullable(String)'), ''))))) AS Revision,
    if(Kind IN ('agent', 'block', 'branch', 'cleanup', 'host', 'input', 'play', 'queue', 'role', 'stage', 'step', 'task'), '', coalesce(nullIf(ifNull(CAST(SpanAttributes.`vcs`.`change`.`id`, 'Nullable(String)'), ''), ''), ifNull(CAST(ResourceAttributes.`vcs`.`change`.`id`, 'Nullable(String)'), ''))) AS Change,
    coalesce(nullIf(ifNull(CAST(SpanAttributes.`cicd`.`worker`.`name`, 'Nullable(String)'), ''), ''), ifNull(CAST(ResourceAttributes.`cicd`.`worker`.`name`, 'Nullable(String)'), '')) AS Worker,
    if(ifNull(CAST(SpanAttributes.`ansible`.`type`, 'Nullable(String)'), '') = 'host', coalesce(nullIf(ifNull(CAST(SpanAttributes.`ansible`.`host`.`name`, 'Nullable(String)'), ''), ''), SpanName), '') AS Host
FROM otel.otel_traces
WHERE Level = 3 OR Kind IN ('branch', 'run', 'stage');
