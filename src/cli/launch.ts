/**
 * Entry of the process: settles the environment before anything heavy is loaded, and answers the simple questions
 * itself.
 */
import process from 'node:process'
import { setFlagsFromString } from 'node:v8'
import { writeSync } from 'node:fs'
import { isatty } from 'node:tty'
import { fileURLToPath } from 'node:url'
import { colorFlag, nodeComplaint, settleColor, wantsColor } from './environment.ts'
import { topHelp, toolVersion } from './help.ts'
import { holdsPassword, shownWords } from './shown-words.ts'
import type { Surroundings } from './ports.ts'

/** Time for what still holds the event loop (an idle connection, a thread) after everything is said. */
const LINGER_MS = 500

/** Words that ask for the page of the whole program. */
const HELP: ReadonlySet<string> = new Set(['--help', '-h', 'help'])

/** `help import` is `import --help`. */
function withoutHelpVerb(argv: readonly string[]): readonly string[] {
  return argv[0] === 'help' && argv[1] !== undefined ? [...argv.slice(1), '--help'] : argv
}

/** Whoever lists the programs of this machine reads their words: a password among them is taken out, from here on. */
function hidePasswords(argv: readonly string[]): void {
  if (holdsPassword(argv)) process.title = ['sluice', ...shownWords(argv)].join(' ')
}

function crash(error: unknown): void {
  const text = error instanceof Error ? (error.stack ?? error.message) : String(error)
  // Synchronous, because nothing else can be relied on here. Node's own exit code of 1 would say "differences found".
  writeSync(2, `sluice: a bug in sluice ended it; please report this\n${text}\n`)
  process.exit(70)
}

/**
 * Runs the program on the given words and leaves the exit code in `process.exitCode`.
 * @param around of a program in the background: other signals, and what it has to do
 */
export async function launch(
  words: readonly string[],
  around: Partial<Pick<Surroundings, 'signals' | 'background'>> = {},
): Promise<void> {
  const complaint = nodeComplaint(process.version)
  if (complaint !== null) {
    process.stderr.write(`${complaint}\n`)
    process.exitCode = 2
    return
  }
  const argv = withoutHelpVerb(words)
  const [first] = argv
  if (first !== undefined && argv.length === 1 && HELP.has(first)) {
    process.stdout.write(topHelp(toolVersion()))
    return
  }
  if (first === '--version') {
    process.stdout.write(`${toolVersion()}\n`)
    return
  }
  hidePasswords(argv)
  // Until the run is a program of its own, the terminal may be closed already.
  if (argv.includes('--background')) process.on('SIGHUP', () => undefined)
  // A plain assignment: a parent may have left `test` or `development`, and React would load its slow build.
  process.env['NODE_ENV'] = 'production'
  const colorTalk = wantsColor(colorFlag(argv), process.env, isatty(2))
  settleColor(argv, process.env, isatty(1))
  // Long imports make much short-lived garbage. A heap that grows in smaller steps peaks 40 % lower, and is no slower
  // (measured).
  setFlagsFromString('--heap-growing-percent=60')
  process.on('uncaughtException', crash)
  process.on('unhandledRejection', crash)
  const [{ main }, { systemClock }, { programWords }] = await Promise.all([
    import('./main.ts'),
    import('../shared/clock.ts'),
    import('./program-name.ts'),
  ])
  process.exitCode = await main(argv, {
    env: process.env,
    stdin: process.stdin,
    stdout: process.stdout,
    stderr: process.stderr,
    stdinTTY: isatty(0),
    stdoutTTY: isatty(1),
    colorTalk,
    searchFrom: process.cwd(),
    program: programWords({
      env: process.env,
      // Not the script that Node runs: it may put words of its own in front, as the example of the guide does.
      script: fileURLToPath(new URL('bin.js', import.meta.url)),
      cwd: process.cwd(),
    }),
    clock: systemClock,
    signals: process,
    ...around,
    die: (exitCode) => process.exit(exitCode),
    loadEngine: () => import('../app/index.ts'),
    loadTui: () => import('../tui/run-tui.tsx'),
  })
  setTimeout(() => process.exit(), LINGER_MS).unref()
}
