// tracedSh 'make all', or tracedSh(name: 'build', script: 'make all'): a shell step that is a span of its own.
def call(String script) { call(name: 'sh', script: script) }

def call(Map given) {
  // The script goes by the environment: no quote in it can end ours.
  withEnv(["TRACED_NAME=${given.name ?: 'sh'}", "TRACED_SCRIPT=${given.script}"]) {
    sh(label: given.name ?: 'sh', script: 'exec pipeline-trace exec --name "$TRACED_NAME" -- sh -xec "$TRACED_SCRIPT"')
  }
}
