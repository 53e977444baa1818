-- Runs, stages and deploys in a table of their own: what lists, years and a change's path are about, a 25th of all spans. An
-- administrator applies it once. ClickHouse then fills it with each insert, and pipeline-trace uses it where it is there.
--   clickhouse-client <runs.sql
-- For spans in another table or database, replace otel.otel_traces everywhere; _runs must stay in the end of this table's name.
-- Where the Collector's exporter says `json: true`, take runs-json.sql. TTL is for how long: as the exporter's `ttl`.
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
    ResourceAttributes Map(LowCardinality(String), String) CODEC(ZSTD(1)),
    ScopeName String CODEC(ZSTD(1)),
    ScopeVersion String CODEC(ZSTD(1)),
    SpanAttributes Map(LowCardinality(String), String) CODEC(ZSTD(1)),
    Duration UInt64 CODEC(ZSTD(1)),
    StatusCode LowCardinality(String) CODEC(ZSTD(1)),
    StatusMessage String CODEC(ZSTD(1)),
    `Events.Timestamp` Array(DateTime64(9)) CODEC(ZSTD(1)),
    `Events.Name` Array(LowCardinality(String)) CODEC(ZSTD(1)),
    `Events.Attributes` Array(Map(LowCardinality(String), String)) CODEC(ZSTD(1)),
    `Links.TraceId` Array(String) CODEC(ZSTD(1)),
    `Links.SpanId` Array(String) CODEC(ZSTD(1)),
    `Links.TraceState` Array(String) CODEC(ZSTD(1)),
    `Links.Attributes` Array(Map(LowCardinality(String), String)) CODEC(ZSTD(1)),
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
    `Links.TraceState`, `Links.Attributes`,
    coalesce(nullIf(SpanAttributes['jenkins.type'], ''), nullIf(SpanAttributes['ansible.type'], ''), if(mapContains(SpanAttributes, 'cicd.pipeline.result'), 'run', '')) AS Kind,
    if((mapContains(SpanAttributes, 'cicd.pipeline.result') OR SpanAttributes['ansible.type'] = 'playbook' OR SpanAttributes['cicd.pipeline.task.type'] = 'deploy' OR (ParentSpanId = '' AND Revision != '')), 3, 2) AS Level,
    coalesce(nullIf(SpanAttributes['cicd.pipeline.name'], ''), ResourceAttributes['cicd.pipeline.name']) AS Pipeline,
    coalesce(nullIf(SpanAttributes['cicd.pipeline.run.id'], ''), ResourceAttributes['cicd.pipeline.run.id']) AS Run,
    coalesce(nullIf(SpanAttributes['cicd.pipeline.result'], ''), nullIf(SpanAttributes['cicd.pipeline.task.run.result'], ''), if(StatusCode = 'Error', 'failure', '')) AS Result,
    if(Kind IN ('agent', 'block', 'branch', 'cleanup', 'host', 'input', 'play', 'queue', 'role', 'stage', 'step', 'task'), '', coalesce(nullIf(SpanAttributes['deployment.name'], ''), nullIf(ResourceAttributes['deployment.name'], ''), nullIf(SpanAttributes['jenkins.parameter.DEPLOYMENT_NAME'], ''), nullIf(SpanAttributes['jenkins.parameter.DEPLOY_NAME'], ''), nullIf(SpanAttributes['jenkins.parameter.APP_NAME'], ''), nullIf(SpanAttributes['jenkins.parameter.APPLICATION'], ''), nullIf(SpanAttributes['jenkins.parameter.SERVICE'], ''), SpanAttributes['jenkins.parameter.COMPONENT'])) AS Service,
    if(Kind IN ('agent', 'block', 'branch', 'cleanup', 'host', 'input', 'play', 'queue', 'role', 'stage', 'step', 'task'), '', transform(replaceRegexpAll(lower(trimBoth(coalesce(nullIf(SpanAttributes['deployment.environment.name'], ''), nullIf(ResourceAttributes['deployment.environment.name'], ''), nullIf(SpanAttributes['jenkins.parameter.DEPLOYMENT_ENVIRONMENT'], ''), nullIf(SpanAttributes['jenkins.parameter.DEPLOY_ENVIRONMENT'], ''), nullIf(SpanAttributes['jenkins.parameter.DEPLOY_ENV'], ''), nullIf(SpanAttributes['jenkins.parameter.TARGET_ENVIRONMENT'], ''), nullIf(SpanAttributes['jenkins.parameter.TARGET_ENV'], ''), nullIf(SpanAttributes['jenkins.parameter.ENVIRONMENT'], ''), SpanAttributes['jenkins.parameter.ENV']))), '\\b(pre|non)[-_ ]?prod(?:uction)?\\b', '\\1prod'), ['int', 'dev', 'testing', 'stage', 'stg', 'prod', 'prd', 'live'], ['integration', 'development', 'test', 'staging', 'staging', 'production', 'production', 'production'])) AS Environment,
    if(Kind IN ('agent', 'block', 'branch', 'cleanup', 'host', 'input', 'play', 'queue', 'role', 'stage', 'step', 'task'), '', coalesce(nullIf(SpanAttributes['artifact.version'], ''), nullIf(ResourceAttributes['artifact.version'], ''), nullIf(SpanAttributes['jenkins.parameter.APP_VERSION'], ''), nullIf(SpanAttributes['jenkins.parameter.VERSION'], ''), nullIf(SpanAttributes['jenkins.parameter.RELEASE'], ''), SpanAttributes['jenkins.parameter.IMAGE_TAG'])) AS Version,
    if(Kind IN ('agent', 'block', 'branch', 'cleanup', 'host', 'input', 'play', 'queue', 'role', 'stage', 'step', 'task'), '', coalesce(nullIf(extract(lower(coalesce(nullIf(SpanAttributes['jenkins.parameter.COMMIT'], ''), nullIf(SpanAttributes['jenkins.parameter.GIT_COMMIT'], ''), nullIf(SpanAttributes['jenkins.parameter.COMMIT_SHA'], ''), nullIf(SpanAttributes['jenkins.parameter.REVISION'], ''), nullIf(SpanAttributes['jenkins.parameter.GIT_SHA'], ''), nullIf(SpanAttributes['jenkins.parameter.CI_COMMIT_SHA'], ''), SpanAttributes['jenkins.parameter.GITHUB_SHA'])), '^[0-9a-f]{7,64}$'), ''), lower(coalesce(nullIf(SpanAttributes['vcs.ref.head.revision'], ''), ResourceAttributes['vcs.ref.head.revision'])))) AS Revision,
    if(Kind IN ('agent', 'block', 'branch', 'cleanup', 'host', 'input', 'play', 'queue', 'role', 'stage', 'step', 'task'), '', coalesce(nullIf(SpanAttributes['vcs.change.id'], ''), ResourceAttributes['vcs.change.id'])) AS Change,
    coalesce(nullIf(SpanAttributes['cicd.worker.name'], ''), ResourceAttributes['cicd.worker.name']) AS Worker,
    if(SpanAttributes['ansible.type'] = 'host', coalesce(nullIf(SpanAttributes['ansible.host.name'], ''), SpanName), '') AS Host
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
    `Links.TraceState`, `Links.Attributes`, Kind, Level, Pipeline,
    Run, Result, Service, Environment, Version,
    Revision, Change, Worker, Host)
SELECT
    Timestamp, TraceId, SpanId, ParentSpanId, TraceState,
    SpanName, SpanKind, ServiceName, ResourceAttributes, ScopeName,
    ScopeVersion, SpanAttributes, Duration, StatusCode, StatusMessage,
    `Events.Timestamp`, `Events.Name`, `Events.Attributes`, `Links.TraceId`, `Links.SpanId`,
    `Links.TraceState`, `Links.Attributes`,
    coalesce(nullIf(SpanAttributes['jenkins.type'], ''), nullIf(SpanAttributes['ansible.type'], ''), if(mapContains(SpanAttributes, 'cicd.pipeline.result'), 'run', '')) AS Kind,
    if((mapContains(SpanAttributes, 'cicd.pipeline.result') OR SpanAttributes['ansible.type'] = 'playbook' OR SpanAttributes['cicd.pipeline.task.type'] = 'deploy' OR (ParentSpanId = '' AND Revision != '')), 3, 2) AS Level,
    coalesce(nullIf(SpanAttributes['cicd.pipeline.name'], ''), ResourceAttributes['cicd.pipeline.name']) AS Pipeline,
    coalesce(nullIf(SpanAttributes['cicd.pipeline.run.id'], ''), ResourceAttributes['cicd.pipeline.run.id']) AS Run,
    coalesce(nullIf(SpanAttributes['cicd.pipeline.result'], ''), nullIf(SpanAttributes['cicd.pipeline.task.run.result'], ''), if(StatusCode = 'Error', 'failure', '')) AS Result,
    if(Kind IN ('agent', 'block', 'branch', 'cleanup', 'host', 'input', 'play', 'queue', 'role', 'stage', 'step', 'task'), '', coalesce(nullIf(SpanAttributes['deployment.name'], ''), nullIf(ResourceAttributes['deployment.name'], ''), nullIf(SpanAttributes['jenkins.parameter.DEPLOYMENT_NAME'], ''), nullIf(SpanAttributes['jenkins.parameter.DEPLOY_NAME'], ''), nullIf(SpanAttributes['jenkins.parameter.APP_NAME'], ''), nullIf(SpanAttributes['jenkins.parameter.APPLICATION'], ''), nullIf(SpanAttributes['jenkins.parameter.SERVICE'], ''), SpanAttributes['jenkins.parameter.COMPONENT'])) AS Service,
    if(Kind IN ('agent', 'block', 'branch', 'cleanup', 'host', 'input', 'play', 'queue', 'role', 'stage', 'step', 'task'), '', transform(replaceRegexpAll(lower(trimBoth(coalesce(nullIf(SpanAttributes['deployment.environment.name'], ''), nullIf(ResourceAttributes['deployment.environment.name'], ''), nullIf(SpanAttributes['jenkins.parameter.DEPLOYMENT_ENVIRONMENT'], ''), nullIf(SpanAttributes['jenkins.parameter.DEPLOY_ENVIRONMENT'], ''), nullIf(SpanAttributes['jenkins.parameter.DEPLOY_ENV'], ''), nullIf(SpanAttributes['jenkins.parameter.TARGET_ENVIRONMENT'], ''), nullIf(SpanAttributes['jenkins.parameter.TARGET_ENV'], ''), nullIf(SpanAttributes['jenkins.parameter.ENVIRONMENT'], ''), SpanAttributes['jenkins.parameter.ENV']))), '\\b(pre|non)[-_ ]?prod(?:uction)?\\b', '\\1prod'), ['int', 'dev', 'testing', 'stage', 'stg', 'prod', 'prd', 'live'], ['integration', 'development', 'test', 'staging', 'staging', 'production', 'production', 'production'])) AS Environment,
    if(Kind IN ('agent', 'block', 'branch', 'cleanup', 'host', 'input', 'play', 'queue', 'role', 'stage', 'step', 'task'), '', coalesce(nullIf(SpanAttributes['artifact.version'], ''), nullIf(ResourceAttributes['artifact.version'], ''), nullIf(SpanAttributes['jenkins.parameter.APP_VERSION'], ''), nullIf(SpanAttributes['jenkins.parameter.VERSION'], ''), nullIf(SpanAttributes['jenkins.parameter.RELEASE'], ''), SpanAttributes['jenkins.parameter.IMAGE_TAG'])) AS Version,
    if(Kind IN ('agent', 'block', 'branch', 'cleanup', 'host', 'input', 'play', 'queue', 'role', 'stage', 'step', 'task'), '', coalesce(nullIf(extract(lower(coalesce(nullIf(SpanAttributes['jenkins.parameter.COMMIT'], ''), nullIf(SpanAttributes['jenkins.parameter.GIT_COMMIT'], ''), nullIf(SpanAttributes['jenkins.parameter.COMMIT_SHA'], ''), nullIf(SpanAttributes['jenkins.parameter.REVISION'], ''), nullIf(SpanAttributes['jenkins.parameter.GIT_SHA'], ''), nullIf(SpanAttributes['jenkins.parameter.CI_COMMIT_SHA'], ''), SpanAttributes['jenkins.parameter.GITHUB_SHA'])), '^[0-9a-f]{7,64}$'), ''), lower(coalesce(nullIf(SpanAttributes['vcs.ref.head.revision'], ''), ResourceAttributes['vcs.ref.head.revision'])))) AS Revision,
    if(Kind IN ('agent', 'block', 'branch', 'cleanup', 'host', 'input', 'play', 'queue', 'role', 'stage', 'step', 'task'), '', coalesce(nullIf(SpanAttributes['vcs.change.id'], ''), ResourceAttributes['vcs.change.id'])) AS Change,
    coalesce(nullIf(SpanAttributes['cicd.worker.name'], ''), ResourceAttributes['cicd.worker.name']) AS Worker,
    if(SpanAttributes['ansible.type'] = 'host', coalesce(nullIf(SpanAttributes['ansible.host.name'], ''), SpanName), '') AS Host
FROM otel.otel_traces
WHERE Level = 3 OR Kind IN ('branch', 'run', 'stage');
