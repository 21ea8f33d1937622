/** The runs of this user on this machine, found by their sockets and in the run history. */
import { existsSync } from 'node:fs'
import { createConnection } from 'node:net'
import { dirname } from 'node:path'
import type { SluiceError } from '../../shared/errors.ts'
import { processStatusOf, thisProcess } from '../../shared/owner.ts'
import { fromFolder } from '../../shared/working-folder.ts'
import {
  descriptionOf,
  KEPT_RUNS,
  type RunHistoryRow,
  type CurvePoint,
  type RunHistory,
} from '../../model/run/run-history.ts'
import { damagedFiles, openRunHistory, runHistoryFile, unreadableHistory } from '../../stores/run-history.ts'
import { askRun } from '../../engine/copy/workers/ask-run.ts'
import { controlSocketPath } from '../../engine/copy/workers/control-socket.ts'
import type { JoinedRun, MachineRun, MachineRuns } from '../workbench.ts'
import { joinRun, type EndOf } from './join.ts'
import { refuseOtherOwner, removeDead, runsIn } from '../../engine/run/socket-folder.ts'

const ANSWER_MS = 500

export class LocalRuns implements MachineRuns {
  readonly #file: string | null
  readonly #env: Readonly<Record<string, string | undefined>>
  #book: Promise<RunHistory> | null = null
  #trouble: SluiceError | null = null

  /** @param folder state folder of this user; null if nothing is stored */
  constructor(folder: string | null, env: Readonly<Record<string, string | undefined>> = process.env) {
    this.#file = folder === null ? null : runHistoryFile(folder)
    this.#env = env
  }

  readonly join = (runId: string): Promise<JoinedRun> => joinRun(runId, this.#env, this.endOf)

  readonly endOf: EndOf = (runId) =>
    this.#read((book) => book.list(KEPT_RUNS).find(({ run }) => run === runId)?.end ?? null, null)

  readonly list = async (limit: number): Promise<readonly MachineRun[]> => {
    const listening = new Set(ownRuns(dirname(controlSocketPath('0', this.#env))))
    const rows = await this.#read((book) => book.list(limit), [])
    const known = new Map(rows.map(({ run, about }) => [run, about]))
    // A run outside of the history is known by its socket only, which answers with the command.
    const others = [...listening].filter((run) => !known.has(run))
    const unrecorded = others.map(async (run) =>
      (await hasListener(controlSocketPath(run, this.#env)))
        ? [unrecordedRun(run, (await askRun(run, this.#env))?.command ?? '?')]
        : [],
    )
    return [
      ...(await Promise.all(unrecorded)).flat(),
      ...rows.map((row, at) => ({
        ...machineRun(row, listening.has(row.run), completedBy(row, rows.slice(0, at))),
        about: descriptionOf(row.about, known),
      })),
    ]
  }

  readonly curve = async (runId: string): Promise<readonly CurvePoint[]> => {
    return await this.#read((book) => book.curve(runId), [])
  }

  /** Error of the last read of the run history; null if the read succeeded, or if there is no history. */
  readonly trouble = (): SluiceError | null => this.#trouble

  /** Files of damaged run histories that were renamed. */
  renamedFiles(): readonly string[] {
    return this.#file === null ? [] : damagedFiles(this.#file)
  }

  close(): void {
    this.#book?.then(
      (book) => book[Symbol.dispose](),
      () => undefined,
    )
    this.#book = null
  }

  async #read<T>(ask: (book: RunHistory) => T, otherwise: T): Promise<T> {
    const file = this.#file
    this.#trouble = null
    if (file === null || (this.#book === null && !existsSync(file))) return otherwise
    try {
      this.#book ??= openRunHistory(file)
      return ask(await this.#book)
    } catch (error) {
      // Another program may have renamed the file: the next read opens the current one.
      this.close()
      this.#trouble = unreadableHistory(file, error)
      return otherwise
    }
  }
}

/** Runs with a socket in the folder; empty if other users can write to the folder. */
function ownRuns(folder: string): readonly string[] {
  try {
    refuseOtherOwner(folder)
    return runsIn(folder)
  } catch {
    return []
  }
}

/** The later run that completed the follow-up command; null if there is none. @param later runs begun after this run */
function completedBy({ folder, commandLine, end }: RunHistoryRow, later: readonly RunHistoryRow[]): string | null {
  if (end !== null && end.resumeCommand === null) return null
  const command = end?.resumeCommand ?? commandLine
  const stream = STREAM_STEP.exec(command)?.[1] ?? null
  const done = later.find(
    (one) =>
      one.end?.exitCode === 0 &&
      ((one.folder === folder && one.commandLine === command) || (stream !== null && endsStream(one, stream))),
  )
  return done?.run ?? null
}

/** Commands for a stream before its tables are cut over. */
const STREAM_STEP = /^sluice (?:sign-off|follow|cutover) (\d{16,20})(?: |$)/

/** True if a run ended a stream by a cutover: its sign-off and replication are over. */
function endsStream({ kind, commandLine, end }: RunHistoryRow, stream: string): boolean {
  return kind === 'cutover' && commandLine.split(' ').includes(stream) && end?.totals['switched'] === '1'
}

function machineRun(
  { owner, end: stored, ...row }: RunHistoryRow,
  isListening: boolean,
  doneBy: string | null,
): MachineRun {
  const { folder } = row
  const commandLine = fromFolder(row.commandLine, folder)
  const resume = stored?.resumeCommand ?? null
  const end = stored === null ? null : { ...stored, resumeCommand: resume === null ? null : fromFolder(resume, folder) }
  const fate = end === null ? processStatusOf(owner, thisProcess()) : 'ended'
  const state = end !== null ? 'ended' : fate === 'lives' ? 'live' : fate === 'ended' ? 'broken off' : 'elsewhere'
  return { ...row, commandLine, host: owner.host, state, canJoin: state === 'live' && isListening, end, doneBy }
}

/** A run that is not in the run history yet. The run id is its start time in ns. */
function unrecordedRun(run: string, kind: string): MachineRun {
  return {
    run,
    kind,
    commandLine: '',
    folder: null,
    source: null,
    target: null,
    about: '',
    begunAt: Number(BigInt(run) / 1_000_000n),
    host: null,
    state: 'live',
    canJoin: true,
    end: null,
    doneBy: null,
  }
}

/** True if a program listens at the socket. A socket without a listener was left by a killed run, and is removed. */
function hasListener(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = createConnection(path)
    const end = (answer: boolean) => (): void => {
      socket.destroy()
      resolve(answer)
    }
    socket.setTimeout(ANSWER_MS, end(false))
    socket.once('connect', end(true))
    socket.once('error', ({ code }: NodeJS.ErrnoException) => {
      if (code === 'ECONNREFUSED') removeDead(path)
      end(false)()
    })
  })
}
