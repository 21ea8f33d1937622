/** The UI with the fake workbench, for the pty tests. It prints its exit code. */
import process from 'node:process'

process.env.NODE_ENV = 'production'
if (process.env.NO_COLOR) {
  delete process.env.NO_COLOR
  process.env.FORCE_COLOR = '0'
}
const build = process.env.SLUICE_BUILD ?? new URL('../../build', import.meta.url).pathname
const { fakeWorkbench, NOW } = await import('./fake-workbench.mjs')
const { runTui } = await import(`${build}/tui/run-tui.js`)
const wants = new Set(process.argv.slice(2))
const workbench = fakeWorkbench({ slow: wants.has('--slow'), extraTables: wants.has('--many') ? 500 : 0 })
const started = Date.now()
const clock = { now: () => NOW + (wants.has('--clock') ? Date.now() - started : 0), ticks: () => performance.now() }
if (wants.has('--crash'))
  setTimeout(() => {
    throw new Error('boom')
  }, 400)
if (wants.has('--cannot-draw-help')) {
  const { repeat } = String.prototype
  // Any function used in drawing would do; this one is called for every row.
  // oxlint-disable-next-line no-extend-native
  Object.defineProperty(String.prototype, 'repeat', {
    value: function (count) {
      if (new Error('where').stack.includes('dialogs/help')) throw new Error('boom while drawing')
      return repeat.call(this, count)
    },
  })
}
try {
  const result = await runTui({
    workbench,
    tool: '0.1.0',
    ascii: wants.has('--ascii'),
    stdin: process.stdin,
    stdout: process.stdout,
    clock,
  })
  process.stdout.write(`left with ${result.exitCode}\n`)
  process.exitCode = result.exitCode
} catch (error) {
  process.stdout.write(`crashed: ${error.message}\n`)
  process.exitCode = 70
}
