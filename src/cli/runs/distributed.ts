/** `--distributed`: queues a run for workers, and steers a queued run. */
import { exclusive } from '../parse/arguments.ts'
import { hostname } from 'node:os'
import { isoTime } from '../../shared/clock.ts'
import { SluiceError } from '../../shared/errors.ts'
import type { Dec } from '../../model/run/event.ts'
import type { RunRequests } from '../../model/share/distributed.ts'
import { parseTableRequest, type HeldState, type TableRequest } from '../../model/run/table-request.ts'
import type { Operation } from '../../app/operations/list.ts'
import { runOwnCommand } from '../run-own-command.ts'
import type { CommandTexts } from '../commands/command.ts'
import type { ControlRequest, Setting } from './ctl.ts'
import type { Globals } from '../parse/globals.ts'
import { toolVersion } from '../version.ts'
import { commandLine } from '../parse/command-line.ts'
import { withProgram } from '../output/program-name.ts'
import type { CliContext } from '../ports.ts'
import type { DistributedOptions } from '../flags/queue-choice.ts'
import { actorName, type CliSession } from '../session.ts'
import { countText } from '../../shared/figures.ts'

type Env = Readonly<Record<string, string | undefined>>

/** @throws SluiceError BAD_FLAG for options that a distributed run does not support */
export function refuseWithWorkers(
  { background, tui, maxRuntimeMs, metrics }: Pick<Globals, 'background' | 'tui' | 'maxRuntimeMs' | 'metrics'>,
  reported: CommandTexts | undefined,
): void {
  const flags: readonly (readonly [flag: string, isGiven: boolean, hint: string])[] = [
    ['--background', background, 'the program that starts a distributed run may end before the run'],
    ['--tui', tui, 'sluice runs --distributed shows it'],
    ['--max-runtime', maxRuntimeMs !== undefined, 'sluice ctl RUN stop --distributed ends it cleanly'],
    ['--metrics', metrics?.isAsked === true, 'workers serve the metrics of their tasks: sluice worker --metrics 9464'],
    ['--between', reported?.hours !== undefined, 'sluice ctl RUN pause --distributed pauses it'],
  ]
  for (const [flag, isGiven, hint] of flags) {
    if (isGiven) throw exclusive('--distributed', flag, hint)
  }
}

/**
 * Queues a run, and prints how to watch it.
 * @param line the command without `--distributed`, redacted
 * @param options.queueFlags flags that name the queue, for commands that inspect it
 * @returns the exit code
 */
export async function runDistributed(
  operation: Operation,
  line: string,
  options: DistributedOptions,
  { json, behind: queueFlags }: { readonly json: boolean; readonly behind: string },
  session: CliSession,
  { env, clock, loadEngine, program }: CliContext,
): Promise<number> {
  const engine = await loadEngine()
  const { connect, queue, slots, stores } = options
  const begun = await engine.distribute({
    operation,
    commandLine: line,
    queue: connect,
    queueName: queue,
    slots,
    stores,
    tool: toolVersion(),
    actor: actorName(env),
    host: hostname(),
    clock,
    warn: (message) => session.emit({ type: 'log', level: 'warn', message }),
  })
  const { runId, workers, label } = begun
  const inspections = [
    `sluice runs --distributed --run ${runId}${queueFlags}`,
    `sluice ctl ${runId} --distributed${queueFlags}`,
  ]
  if (json) {
    session.emit({ type: 'columns', columns: ['run', 'slots', 'workers', 'queue', 'look', 'steer'] })
    session.emit({ type: 'row', values: [runId, begun.slots, workers, label, ...inspections] })
    return 0
  }
  const [look = '', steer = ''] = inspections.map((command) => withProgram(command, program))
  const count = `${countText(begun.slots, 'task')}${begun.onCall === 0 ? '' : `, ${begun.onCall} on call`}`
  session.output.data(`run ${runId} is queued: ${count} in ${label}\n     look     ${look}\n     steer    ${steer}\n`)
  if (workers === 0) {
    const from = queue === null ? '' : ` --queues ${queue}`
    const worker = withProgram(`sluice worker${queueFlags}${from}`, program)
    session.output.talk(`sluice: no worker of this version takes runs from this queue now: start one with ${worker}\n`)
  }
  return 0
}

/** Redacted flags that name the queue, for other commands that inspect it. */
export function queueFlagsOf(argv: readonly string[], secrets: readonly string[], env: Env): string {
  const words = argv.flatMap((word, at) => {
    const [name = ''] = word.split('=')
    if (word === '--no-config') return [word]
    if (name !== '--connect' && name !== '--config') return []
    const value = word === name ? argv[at + 1] : undefined
    return value === undefined ? [word] : [word, value]
  })
  const head = ['runs', '--distributed']
  return commandLine([...head, ...words], null, secrets, { env }).slice(['sluice', ...head].join(' ').length)
}

/** Shows or steers a run of the queue. @param queueFlags as returned by `queueFlagsOf` @returns the exit code */
export async function ctlDistributed(
  run: string | null,
  request: ControlRequest,
  connect: string,
  session: CliSession,
  { clock, loadEngine }: CliContext,
  queueFlags: string,
): Promise<number> {
  const around = `sluice runs --distributed${queueFlags}`
  const body = async (): Promise<Readonly<Record<string, Dec>>> => {
    if (run === null) {
      throw new SluiceError('BAD_FLAG', 'no run is given', {
        hint: 'sluice runs --distributed lists the runs of a queue',
      })
    }
    const engine = await loadEngine()
    const asked = 'set' in request ? requestsOf(request.set) : null
    const one = await engine.steerShared(connect, run, asked?.options ?? null, asked?.tables)
    const { status, slots, rows, rate, wishes } = one
    const columns = [
      'run',
      'status',
      'paused',
      'workers',
      'lanes',
      'rate',
      'pausedTables',
      'skippedTables',
      'queued',
      'working',
      'ended',
      'rows',
      'rowsPerSecond',
      'begun',
    ]
    session.emit({ type: 'columns', columns })
    session.emit({
      type: 'row',
      values: [
        run,
        wishes.stop === true && status === 'running' ? 'stopping' : status,
        String(wishes.held === true || one.isUnconfirmed),
        wishes.workers ?? null,
        wishes.lanes ?? null,
        wishes.rate ?? null,
        tablesInState(wishes, 'paused'),
        tablesInState(wishes, 'skipped'),
        slots.queued,
        slots.working,
        slots.ended,
        rows.toString(),
        Math.round(rate),
        isoTime(one.begunAt),
      ],
    })
    return { slots: String(slots.queued + slots.working + slots.ended), rows: rows.toString() }
  }
  return await runOwnCommand('ctl', session, clock, body, around)
}

/** Tables and chunks whose state is `why`, as text: `orders, items/3`. */
function tablesInState({ tables = [] }: RunRequests, why: HeldState): string {
  return tables
    .flatMap(({ table, chunk, held }) => (held === why ? [chunk === undefined ? table : `${table}/${chunk}`] : []))
    .join(', ')
}

/** @throws SluiceError BAD_FLAG for requests that only a run of one process supports */
function requestsOf(set: Readonly<Record<string, Setting>>): {
  readonly options: RunRequests
  readonly tables: readonly TableRequest[]
} {
  const options: { held?: boolean; rate?: number | null; workers?: number; lanes?: number; stop?: boolean } = {}
  const tables: TableRequest[] = []
  for (const [name, value] of Object.entries(set)) {
    if (name === 'paused' && typeof value === 'boolean') options.held = value
    else if (name === 'rate' && (typeof value === 'number' || value === null)) options.rate = value
    else if (name === 'workers' && typeof value === 'number') options.workers = value
    else if (name === 'lanes' && typeof value === 'number') options.lanes = value
    else if (name === 'stop' && value === true) options.stop = true
    else if (name === 'pause' || name === 'resume' || name === 'skip' || name === 'retry')
      tables.push(...[value].flat().map((text) => parseTableRequest(name, String(text))))
    else {
      throw new SluiceError('BAD_FLAG', `a distributed run does not accept ${name}`, {
        hint: 'for the whole run: workers N, rate N, lanes N, pause, resume or stop; for a table or chunk: pause, resume, skip or retry, with TABLE or TABLE/CHUNK',
      })
    }
  }
  return { options, tables }
}
