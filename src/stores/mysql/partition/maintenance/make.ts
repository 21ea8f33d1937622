/**
 * Creates partitions of a table that is in use. Each is one atomic statement: after a kill between two of them some
 * exist, and the next run creates the others.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { tableText } from '../../../../model/copy/column-type.ts'
import { throwIfAborted } from '../../../../shared/abort.ts'
import { SluiceError } from '../../../../shared/errors.ts'
import type { SessionLock } from '../../../../model/run/sql-port.ts'
import { eitherSignal, isStop, keepsChanging } from '../../../../model/partition/maintenance-port.ts'
import type {
  NewPartition,
  Made,
  MakeRequest,
  MissingProperty,
  RangePartition,
} from '../../../../model/partition/maintenance-port.ts'
import { mysqlErrorNumber } from '../../error-numbers.ts'
import { alterWhenFree, politeUntil, type Alteration, type Sessions } from './locks.ts'
import type { MysqlSession } from '../../session.ts'
import { inspectMysqlPartitions, type InspectedRangedTable } from './inspect.ts'
import { partitionOptions } from './options.ts'
import { backquotedTable } from '../../copy/names.ts'
import { backquotedName } from '../../../../shared/sql-text.ts'

/** Error numbers of a partition that does not exist: another program renamed or dropped it after it was listed. */
const GONE = new Set([1507, 1735])
/** Error numbers if a name is taken, too, or if bounds do not increase: another program was faster. */
const CONFLICTS = new Set([1481, 1493, ...GONE, 1517, 1520])

type Plan =
  { readonly is: 'there' } | { readonly is: 'made'; readonly alteration: Alteration; readonly options: string | null }

/**
 * @param lock excludes other runs that create partitions of this table
 * @throws SluiceError TARGET_BUSY, TABLE_REFUSED, NO_SUCH_TABLE, UNSUPPORTED_TYPE; errors of the server
 */
export async function makeMysqlPartitions(
  sessions: Sessions,
  lock: SessionLock,
  request: MakeRequest,
  server: string,
): Promise<Made> {
  const { table, partitions, retryLimitMs, onStep } = request
  const signal = eitherSignal(request)
  const where = tableText(table.table)
  const until = performance.now() + retryLimitMs
  const polite = politeUntil(retryLimitMs)
  const made: (NewPartition & { moved: bigint })[] = []
  const foundMade: NewPartition[] = []
  const notGiven: MissingProperty[] = []
  let [longestMs, tries] = [0, 0]
  const reported = (): Made => ({
    made,
    foundMade,
    longestMs: Math.ceil(longestMs),
    tries: Math.max(0, tries - made.length),
    proved: null,
    notGiven,
  })
  onStep?.('making', 0n, null)
  for (const [i, options] of partitions.entries()) {
    for (;;) {
      throwIfAborted(request.signal)
      if (signal.aborted) return reported()
      if (!lock.held) throw lockLost(where)
      const plan = await planFor(sessions.worker, options, partitions.slice(i), request, server)
      if (plan.is === 'there') {
        foundMade.push(options)
        break
      }
      try {
        const limits = { ...request, signal, retryLimitMs: Math.max(0, until - performance.now()), politeUntil: polite }
        const done = await alterWhenFree(sessions, plan.alteration, limits)
        longestMs = Math.max(longestMs, done.longestMs)
        tries += done.tries
      } catch (error) {
        if (isStop(error, request)) return reported()
        const number = mysqlErrorNumber(error) ?? 0
        if (!CONFLICTS.has(number)) throw error
        if (performance.now() > until) throw GONE.has(number) ? keepsChanging(table, error) : error
        // Another program changed the partitions: read them again. If it took a planned name, the next plan refuses it.
        await sleep(50)
        continue
      }
      made.push({ ...options, moved: 0n })
      if (plan.options === null) {
        notGiven.push({
          partition: options.name.name,
          what: 'the options of the neighbouring partition',
          why: 'the server does not print them',
        })
      }
      break
    }
  }
  return reported()
}

/** Checks only the first missing partition: later ones begin where it will end. @throws SluiceError TABLE_REFUSED */
export async function foreseeMysqlPartitions(
  worker: MysqlSession,
  request: Pick<MakeRequest, 'table' | 'partitions'>,
  server: string,
): Promise<void> {
  for (const [i, options] of request.partitions.entries()) {
    const plan = await planFor(worker, options, request.partitions.slice(i), request, server)
    if (plan.is === 'made') return await plan.alteration.check()
  }
}

async function planFor(
  worker: MysqlSession,
  request: NewPartition,
  missing: readonly NewPartition[],
  { table: { table, column } }: Pick<MakeRequest, 'table'>,
  server: string,
): Promise<Plan> {
  const where = tableText(table)
  const inspected = await inspectMysqlPartitions(worker, table, server)
  if (inspected === null || inspected.ranged.column.name !== column.name) {
    throw refused(where, 'its partitioning has changed', 'run the same command again')
  }
  const { partitions } = inspected.ranged
  if (partitions.some(({ from, to }) => same(inspected, from, request.from) && same(inspected, to, request.to)))
    return { is: 'there' }
  const rest = partitions.find(({ isDefault }) => isDefault)
  const last = partitions.findLast(({ isDefault }) => !isDefault)
  refuseUnfit(where, request, inspected, last)
  const options = await partitionOptions(worker, table)
  const neighbour = options.get((last ?? rest)?.name.name ?? '') ?? null
  const declared = (one: NewPartition): string => declaration(one, inspected, neighbour)
  const named = `ALTER TABLE ${backquotedTable(table)} `
  const plan = (statement: Alteration['statement'], check: Alteration['check']): Plan => ({
    is: 'made',
    alteration: { table, statement, check },
    options: neighbour,
  })
  if (rest === undefined)
    return plan(
      (words) => `${named}${words}ADD PARTITION (${declared(request)})`,
      async () => undefined,
    )
  const restName = backquotedName(rest.name.name)
  const again = `PARTITION ${restName} VALUES LESS THAN (MAXVALUE) ${options.get(rest.name.name) ?? ''}`.trim()
  const divided = (words: string, requests: readonly NewPartition[]): string =>
    `${named}${words}REORGANIZE PARTITION ${restName} INTO (${[...requests.map(declared), again].join(', ')})`
  // Rows that arrive between this check and the statement are moved by it: nothing is lost, it only takes longer.
  const check = async (): Promise<void> => {
    const [[held] = []] = await worker.rows(
      `SELECT EXISTS (SELECT 1 FROM ${backquotedTable(table)} PARTITION (${restName}))`,
    )
    if (Number(held) === 0) return
    throw refused(
      where,
      `its last partition ${rest.name.name} (MAXVALUE) has rows: to create another partition, the server copies all of them and blocks writers`,
      `run at an hour without writes: ${divided('', missing)}`,
    )
  }
  return plan((words) => divided(words, [request]), check)
}

/**
 * Refuses bounds that the partitioning cannot express, a name that is taken, and a start other than the end of the last
 * partition: the server lets every partition begin there.
 */
function refuseUnfit(
  where: string,
  options: NewPartition,
  inspected: InspectedRangedTable,
  last: RangePartition | undefined,
): void {
  const name = options.name.name
  const { method } = inspected
  if (method.write(options.to) === null || (last !== undefined && method.write(options.from) === null)) {
    throw refused(
      where,
      `${method.text} cannot have a partition from ${options.from} to ${options.to}`,
      'choose a --calendar and --zone whose periods fit this partitioning',
    )
  }
  // The server ignores case in partition names.
  const taken = inspected.ranged.partitions.find((one) => one.name.name.toLowerCase() === name.toLowerCase())
  if (taken !== undefined) {
    throw refused(
      where,
      `it has another partition ${taken.name.name}, from ${String(taken.from)} to ${String(taken.to)}`,
      'rename that partition (ALTER TABLE … REORGANIZE PARTITION), at an hour without writes',
    )
  }
  if (last === undefined || same(inspected, last.to, options.from)) return
  throw refused(
    where,
    `the partition ${name} would begin at ${String(last.to)}, where ${last.name.name} ends, and not at ${options.from}`,
    `create the partitions up to ${options.from} by hand, or give the calendar of the table with --calendar`,
  )
}

function declaration({ name, to }: NewPartition, { method }: InspectedRangedTable, options: string | null): string {
  return `PARTITION ${backquotedName(name.name)} VALUES LESS THAN (${method.write(to) ?? ''}) ${options ?? ''}`.trim()
}

/** True if both are spellings of one bound. */
function same({ method }: InspectedRangedTable, a: string | null, b: string | null): boolean {
  return a === b || (a !== null && b !== null && method.write(a) !== null && method.write(a) === method.write(b))
}

function lockLost(where: string): SluiceError {
  return new SluiceError('CONNECTION_LOST', 'the connection that locks the table against other runs broke', {
    where,
    hint: 'run the same command again: it continues where it stopped',
    retryable: true,
  })
}

function refused(where: string, reason: string, hint: string): SluiceError {
  return new SluiceError('TABLE_REFUSED', `the missing partitions of ${where} cannot be created`, {
    where,
    reason,
    hint,
  })
}
