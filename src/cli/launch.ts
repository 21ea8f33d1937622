/** Entry of the process: sets up the environment before anything heavy is loaded, and answers --help and --version. */
import { createRequire } from 'node:module'
import path from 'node:path'
import process from 'node:process'
import { setFlagsFromString } from 'node:v8'
import { writeSync } from 'node:fs'
import { isatty } from 'node:tty'
import { fileURLToPath } from 'node:url'
import { addonError, colorFlag, nodeVersionError, applyColor, wantsColor } from './environment.ts'
import { topHelp } from './help/help.ts'
import { toolVersion } from './version.ts'
import { compiledEntry } from '../shared/compiled-entry.ts'
import { holdsPassword, shownWords } from './parse/shown-words.ts'
import type { CliContext } from './ports.ts'

/** Time until exit after all output is written, if a connection or a thread still keeps the event loop busy, ms. */
const LINGER_MS = 500

/** Words that print the help of the program. */
const HELP: ReadonlySet<string> = new Set(['--help', '-h', 'help'])

/** Replaces `help import` by `import --help`. */
function withoutHelpVerb(argv: readonly string[]): readonly string[] {
  return argv[0] === 'help' && argv[1] !== undefined ? [...argv.slice(1), '--help'] : argv
}

/** Removes passwords from the command line that other users see in the process list. */
function hidePasswords(argv: readonly string[]): void {
  if (holdsPassword(argv)) process.title = ['sluice', ...shownWords(argv)].join(' ')
}

function sqliteAddon(): string {
  const main = createRequire(import.meta.url).resolve('better-sqlite3')
  return path.join(path.dirname(main), '../build/Release/better_sqlite3.node')
}

function crash(error: unknown): void {
  const text = error instanceof Error ? (error.stack ?? error.message) : String(error)
  // Synchronous, because nothing else is reliable here. Node's own exit code 1 would mean "differences found".
  writeSync(2, `sluice: ended by a bug in sluice; please report it\n${text}\n`)
  process.exit(70)
}

/**
 * Runs the program and leaves the exit code in `process.exitCode`.
 * @param backgroundContext signals and operation of a background process; empty for other processes
 */
export async function launch(
  words: readonly string[],
  backgroundContext: Partial<Pick<CliContext, 'signals' | 'background'>> = {},
): Promise<void> {
  const complaint = nodeVersionError(process.version) ?? addonError(process.version, sqliteAddon)
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
  // Ignore SIGHUP: the terminal may be closed before the run has its own process.
  if (argv.includes('--background')) process.on('SIGHUP', () => undefined)
  // Always set: a parent process may have set `test` or `development`, and React would load its slow build.
  process.env['NODE_ENV'] = 'production'
  const colorTalk = wantsColor(colorFlag(argv), process.env, isatty(2))
  applyColor(argv, process.env, isatty(1))
  // Long imports create much short-lived garbage. Smaller steps of heap growth lower the peak by 40 % and are not
  // slower (measured).
  setFlagsFromString('--heap-growing-percent=60')
  process.on('uncaughtException', crash)
  process.on('unhandledRejection', crash)
  const [{ main }, { systemClock }, { programWords }] = await Promise.all([
    import('./main.ts'),
    import('../shared/clock.ts'),
    import('./output/program-name.ts'),
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
      // Do not name the script that Node runs: a user's script may add words before the command, as the example in the
      // guide does.
      script: fileURLToPath(compiledEntry('cli/bin')),
      cwd: process.cwd(),
    }),
    clock: systemClock,
    signals: process,
    ...backgroundContext,
    die: (exitCode) => process.exit(exitCode),
    loadEngine: () => import('../app/index.ts'),
    loadTui: () => import('../tui/run-tui.tsx'),
  })
  setTimeout(() => process.exit(), LINGER_MS).unref()
}
