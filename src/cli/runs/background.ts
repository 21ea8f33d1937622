/**
 * `--background`: starts a run in its own process, which continues when the terminal is closed, and returns once the
 * run has begun.
 */
import { spawn, type ChildProcess } from 'node:child_process'
import { EventEmitter } from 'node:events'
import { chmodSync, closeSync, openSync, readdirSync, readFileSync, renameSync, rmSync } from 'node:fs'
import path from 'node:path'
import process from 'node:process'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { serialize } from 'node:v8'
import { isWatched } from '../../app/live/watched.ts'
import type { Operation } from '../../app/operations/list.ts'
import { makeFolderSync } from '../../shared/make-folder.ts'
import { exitOfStop } from '../../shared/abort.ts'
import { compiledEntry } from '../../shared/compiled-entry.ts'
import { SluiceError } from '../../shared/errors.ts'
import { shellQuote } from '../../shared/shell.ts'
import { ownMark } from '../../shared/process-mark.ts'
import { stateFolder } from '../../shared/state-folder.ts'
import { exclusive } from '../parse/arguments.ts'
import { splitAtEnd } from '../parse/globals.ts'
import { withProgram } from '../output/program-name.ts'
import type { CliContext } from '../ports.ts'
import type { CliSession } from '../session.ts'

/** Order for the background process. It is sent over a pipe, so that it is not visible in a list of processes. */
export type BackgroundOrder = { readonly words: readonly string[]; readonly operation: Operation }

/** Limit of kept log files; the oldest are removed. */
const KEPT_LOGS = 200
/** Time after which a started run that has not failed is treated as begun, ms. */
const START_TIMEOUT_MS = 15_000

/** @throws SluiceError BAD_FLAG for an operation that cannot run in the background */
export function refuseBackground(operation: Operation | null, tui: boolean): void {
  if (tui) {
    throw exclusive('--tui', '--background', 'sluice attach shows a background run in the terminal UI')
  }
  if (operation !== null && isWatched(operation)) return
  throw new SluiceError('BAD_FLAG', '--background is for long runs, and this command only prints a result', {
    hint: 'remove --background',
  })
}

/**
 * Starts the operation in a separate process.
 * @param words of the command line @param line the same, redacted
 * @returns the exit code: 0 if the run has begun, otherwise the exit code of the run that could not begin
 */
export async function runInBackground(
  { words, operation }: BackgroundOrder,
  line: string,
  json: boolean,
  session: CliSession,
  { env, clock, program }: CliContext,
): Promise<number> {
  const folder = logFolder(env)
  const log = path.join(folder, `starting-${ownMark()}-${Math.floor(clock.now())}.log`)
  const file = opened(log)
  const child = spawn(
    process.execPath,
    [...process.execArgv, fileURLToPath(compiledEntry('cli/runs/background-main')), line],
    { detached: true, stdio: ['pipe', file, file, 'pipe'], env: { ...env } },
  )
  closeSync(file)
  const { interrupter } = session
  const drop = (): void => void child.kill('SIGTERM')
  interrupter.stop.addEventListener('abort', drop, { once: true })
  const begun = await beginningOf(child, { words, operation })
  interrupter.stop.removeEventListener('abort', drop)
  if ('exitCode' in begun) {
    const reported = readFileSync(log, 'utf8')
    rmSync(log, { force: true })
    if (json) session.output.data(reported)
    else session.output.talk(reported)
    return interrupter.stop.aborted ? exitOfStop(interrupter) : begun.exitCode
  }
  // The process keeps writing to the renamed file.
  const kept = path.join(folder, `run-${begun.run}.log`)
  renameSync(log, kept)
  forgetOldLogs(folder)
  report(session, begun.run, kept, json ? null : (program ?? 'sluice'))
  return 0
}

/** Words without `--background`, and with `--ci`, since no user is present. */
export function wordsOfChild(argv: readonly string[]): readonly string[] {
  const [flags, rest] = splitAtEnd(argv)
  const kept = flags.filter((word) => !/^--background(?:=|$)/.test(word))
  return [...kept, ...(kept.includes('--json') || kept.includes('--ci') ? [] : ['--ci']), ...rest]
}

/** Signals while a background run is started. SIGHUP is ignored: the run may have begun, and must continue. */
export function signalsOfStart(signals: NodeJS.EventEmitter): NodeJS.EventEmitter {
  signals.on('SIGHUP', () => undefined)
  const others = new EventEmitter()
  for (const signal of ['SIGINT', 'SIGTERM'] as const) signals.on(signal, () => others.emit(signal))
  return others
}

/**
 * Folder for logs of background runs, readable only by this user.
 * @throws SluiceError BAD_CONFIG, NO_SPACE
 */
function logFolder(env: CliContext['env']): string {
  const folder = path.join(stateFolder(env), 'runs')
  try {
    makeFolderSync(folder, 0o700)
    chmodSync(folder, 0o700)
  } catch (cause) {
    throw noLog(folder, cause)
  }
  return folder
}

function opened(log: string): number {
  try {
    return openSync(log, 'wx', 0o600)
  } catch (cause) {
    throw noLog(path.dirname(log), cause)
  }
}

function noLog(folder: string, cause: unknown): SluiceError {
  const { code = '', message } = cause as NodeJS.ErrnoException
  const isFull = code === 'ENOSPC' || code === 'EDQUOT'
  return new SluiceError(isFull ? 'NO_SPACE' : 'BAD_CONFIG', 'the log of a background run cannot be written', {
    where: folder,
    reason: message,
    hint: isFull
      ? 'free space there, or set XDG_STATE_HOME to a folder with free space'
      : 'make sure that this folder exists and is writable, or set XDG_STATE_HOME to another folder',
    cause,
  })
}

type Begun = { readonly run: string } | { readonly exitCode: number }

async function beginningOf(child: ChildProcess, order: BackgroundOrder): Promise<Begun> {
  const [stdin, , , reported] = child.stdio
  if (stdin === null || !('write' in stdin) || reported === undefined || reported === null || !('read' in reported))
    throw new Error('a pipe to the background is missing')
  stdin.on('error', () => undefined)
  stdin.end(serialize(order))
  const lines = createInterface({ input: reported })
  const begun = await new Promise<Begun>((resolve, reject) => {
    let startTimer: NodeJS.Timeout | null = null
    const end = (how: Begun): void => {
      if (startTimer !== null) clearTimeout(startTimer)
      resolve(how)
    }
    lines.on('line', (line) => {
      const [word, run = ''] = line.split(' ')
      if (word === 'begun') end({ run })
      else startTimer ??= setTimeout(() => end({ run }), START_TIMEOUT_MS)
    })
    child.once('error', reject)
    // The log is complete once all its writers have exited.
    child.once('exit', (code) => end({ exitCode: code ?? 143 }))
  })
  lines.close()
  reported.destroy()
  child.unref()
  return begun
}

/** @param program how hints call the program; null for JSON */
function report(session: CliSession, run: string, log: string, program: string | null): void {
  const attach = `sluice attach ${run}`
  if (program !== null) {
    session.output.data(
      `run ${run} continues in the background\n     look     ${withProgram(attach, program)}\n     log      ${shellQuote(log)}\n`,
    )
    return
  }
  session.emit({ type: 'columns', columns: ['run', 'attach', 'log'] })
  session.emit({ type: 'row', values: [run, attach, log] })
}

function forgetOldLogs(folder: string): void {
  const logs = readdirSync(folder)
    .flatMap((name) => /^run-(\d+)\.log$/.exec(name)?.[1] ?? [])
    .toSorted((a, b) => (BigInt(a) > BigInt(b) ? -1 : 1))
  for (const id of logs.slice(KEPT_LOGS)) rmSync(path.join(folder, `run-${id}.log`), { force: true })
}
