// traced { … }: what runs inside has TRACEPARENT, TRACESTATE and BAGGAGE of the stage in its environment.
def call(Closure body) {
  def lines = sh(returnStdout: true, label: 'Trace context', script: 'pipeline-trace context --format groovy')
  withEnv(lines.split('\n') as List) { body() }
}
