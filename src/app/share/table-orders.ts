/** Resolves table names of steering requests, and refuses requests that cannot be applied. */
import { SluiceError } from '../../shared/errors.ts'
import { namePattern } from '../../shared/name-pattern.ts'
import type { DistributedRun, RunRequests } from '../../model/share/distributed.ts'
import type { TableHold, TableRequest } from '../../model/run/table-request.ts'
import type { SteeredTables } from '../../model/share/queue-port.ts'
import { refusedForStream, refusedWorkers } from '../../engine/follow/stream/refusals.ts'
import { commandNameOf } from '../operations/facts.ts'
import type { Operation } from '../operations/list.ts'
import { knownOperation } from './known-operation.ts'
import { sharingOf } from './sharing.ts'
import { acceptedText, obeys, type RunRequest } from './steerable.ts'
import { tablesCalled } from './steered-tables.ts'

/** Maximum number of table names in a message. */
const NAMED = 8

/**
 * Refuses requests that the operation does not support.
 * @throws SluiceError BAD_FLAG for apply workers without a stream, for tables of a run that is not a copy, for a
 * pause, a rate or a number of workers that its kind does not obey, and for a run of another program version
 */
export function refuseForOperation(run: DistributedRun, options: RunRequests, tables: readonly TableRequest[]): void {
  const { held, rate, workers } = options
  const requests: readonly RunRequest[] = [
    ...(held === true ? (['pause'] as const) : []),
    ...(rate === undefined ? [] : (['rate'] as const)),
    ...(workers === undefined ? [] : (['workers'] as const)),
  ]
  if (options.lanes === undefined && tables.length === 0 && requests.length === 0) return
  const operation = knownOperation(run.operation)
  if (operation === null) {
    throw new SluiceError(
      'BAD_FLAG',
      `the run ${run.runId} belongs to another program version, and only that version can apply this request`,
      {
        hint: `use the program of its workers: ${run.program}`,
      },
    )
  }
  const follows = sharingOf(operation).by === 'stream'
  if (options.lanes !== undefined && !follows)
    throw new SluiceError('BAD_FLAG', `the run ${run.runId} does not replicate changes and has no apply workers`, {
      hint: 'workers N sets how many chunks are copied at once',
    })
  // `refuseWorkers` explains that a stream has none.
  const refused = requests.find((one) => !obeys(operation.kind, one) && !(follows && one === 'workers'))
  if (refused !== undefined)
    throw new SluiceError('BAD_FLAG', `the run ${run.runId} (${operation.kind}) does not support ${refused}`, {
      hint: acceptedText(operation.kind),
    })
  const [request] = tables
  if (request === undefined || operation.kind === 'copy') return
  if (follows) throw refusedForStream(request.act)
  throw new SluiceError(
    'BAD_FLAG',
    `${commandNameOf(operation.kind)} does not support ${request.act} of single tables`,
    {
      hint: acceptedText(operation.kind),
    },
  )
}

/**
 * Refuses to change the number of copy workers of a run that now only replicates: it has none.
 * @param known null if the queue belongs to an older program
 * @throws SluiceError BAD_FLAG if the run now only replicates
 */
export function refuseWorkers({ operation }: DistributedRun, known: SteeredTables | null): void {
  const asked = knownOperation(operation)
  if (asked === null || sharingOf(asked).by !== 'stream') return
  if (asked.kind === 'follow' || (known !== null && known.isWhole && known.names.length === 0)) throw refusedWorkers()
}

/**
 * The requests with full table names; earlier requests that are kept under shorter names are moved to the full ones.
 * @param known null if the queue belongs to an older program
 * @throws SluiceError BAD_FLAG for an unknown or ambiguous table, or if the run now only replicates
 */
export function withFullNames(
  { runId, operation, wishes: { tables: holds = [] } }: DistributedRun,
  tables: readonly TableRequest[],
  known: SteeredTables | null,
): readonly TableRequest[] {
  if (tables.length === 0) return []
  if (known === null) {
    throw new SluiceError('BAD_FLAG', 'single tables cannot be steered: an older program created the queue', {
      hint: 'start a worker of this version, which upgrades the queue; pause, resume and stop apply to the whole run',
    })
  }
  const whole = tables.map((options) => ({ ...options, table: resolvedTable(options, runId, operation, known) }))
  return [...holds.flatMap((hold) => withFullName(hold, known)), ...whole]
}

function resolvedTable(
  { act, table }: TableRequest,
  runId: string,
  operation: unknown,
  { names, isWhole }: SteeredTables,
): string {
  if (names.includes(table)) return table
  const [one, ...more] = tablesCalled(table, names)
  if (one !== undefined && more.length === 0) return one
  // A stream's tables cannot be steered once all of them are copied.
  if (isWhole && names.length === 0) throw refusedForStream(act)
  if (one === undefined && !isWhole && isSelected(table, operation)) return table
  const what =
    one === undefined ? `the run ${runId} has no table ${table}` : `several tables of the run are called ${table}`
  const shown = names.length === 0 ? [...patternsOf(operation)] : names
  throw new SluiceError('BAD_FLAG', what, {
    hint: `its tables are ${shown.slice(0, NAMED).join(', ')}${shown.length > NAMED ? ' …' : ''}`,
  })
}

/** Moves a hold from a shorter name to the full one. */
function withFullName({ held, ...hold }: TableHold, { names }: SteeredTables): readonly TableRequest[] {
  const [whole, ...more] = names.includes(hold.table) ? [] : tablesCalled(hold.table, names)
  if (whole === undefined || more.length > 0) return []
  return [
    { ...hold, act: 'resume' },
    { ...hold, table: whole, act: held === 'paused' ? 'pause' : 'skip' },
  ]
}

/** True if a table pattern of the command selects the table. For runs whose first task has not planned its tables. */
function isSelected(table: string, operation: unknown): boolean {
  return [...patternsOf(operation)].some((pattern) => {
    const fits = namePattern(pattern, 'unicode')
    // The pattern may include a schema that the table name omits, or the reverse.
    const bare = namePattern(lastPart(pattern), 'unicode')
    return fits(table) || (pattern.includes('.') !== table.includes('.') && bare(lastPart(table)))
  })
}

const lastPart = (name: string): string => name.slice(name.lastIndexOf('.') + 1)

function patternsOf(operation: unknown): readonly string[] {
  const known: Operation | null = knownOperation(operation)
  return known?.kind === 'copy' ? known.tables : []
}
