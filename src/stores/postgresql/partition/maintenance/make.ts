/** Creates missing partitions. If another session changes the table meanwhile, it inspects the table again. */
import { tableText } from '../../../../model/copy/column-type.ts'
import { SluiceError } from '../../../../shared/errors.ts'
import { isStop, keepsChanging } from '../../../../model/partition/maintenance-port.ts'
import type {
  NewPartition,
  Made,
  MakeRequest,
  MissingProperty,
  RangedTable,
  RangePartition,
} from '../../../../model/partition/maintenance-port.ts'
import { sqlStateOf } from '../../server/server-errors.ts'
import type { CopySession } from '../../server/session.ts'
import { literal } from '../../server/sql.ts'
import { attachNew } from './attach-new.ts'
import { clearLeftOver } from './left-over.ts'
import { inspectPostgresPartitions, PARTITIONED_ITSELF } from './inspect.ts'
import { moveDefault, refuseMove } from './move-default.ts'
import type { LockRetry } from '../../server/lock-retry.ts'
import { silentStandbys } from './old-views.ts'
import { rowRefusal } from './row-refusals.ts'
import { strayRows } from './stray.ts'
import { knownDefaultPartition, knownPartition } from './dependencies.ts'
import { Changed } from './not-now.ts'
import { canonicalOptions, stillWanted } from './wanted.ts'

/** Maximum number of inspections of the table in one run: another session may change the table after each of them. */
const MAX_INSPECTIONS = 4
/** A default partition up to this size, bytes, is read under an exclusive lock; a larger one never. */
const SMALL_DEFAULT = 2 * 1024 * 1024

/**
 * @param session a separate one, with the host lock of the table
 * @throws SluiceError as `MaintenanceStore.make`; errors of the server
 */
export async function makePostgresPartitions(
  session: CopySession,
  request: MakeRequest,
  lockRetry: LockRetry,
): Promise<Made> {
  const making = new Making(session, request, lockRetry)
  try {
    await making.run()
  } catch (error) {
    if (!isStop(error, request)) throw error
  }
  return making.made()
}

/** Tests whether `makePostgresPartitions` would be refused now. @throws SluiceError TABLE_REFUSED */
export async function foreseePostgresPartitions(
  session: CopySession,
  { table, partitions }: Pick<MakeRequest, 'table' | 'partitions'>,
): Promise<void> {
  const { missing } = await stillWanted(session, table, await canonicalOptions(session, table, partitions))
  if (missing.length > 0) refuseDivided(table)
  const rest = knownDefaultPartition(table)
  if (rest === null || missing.length === 0 || !(await hasToMove(session, table, rest, missing))) return
  await refuseMove(session, table, rest)
}

class Making {
  readonly #session: CopySession
  readonly #request: MakeRequest
  readonly #lockRetry: LockRetry
  readonly #made: (NewPartition & { readonly moved: bigint })[] = []
  #there: readonly NewPartition[] = []
  readonly #notGiven: MissingProperty[] = []
  readonly #notes: string[] = []
  #proved: bigint | null = null

  constructor(session: CopySession, request: MakeRequest, lockRetry: LockRetry) {
    this.#session = session
    this.#request = request
    this.#lockRetry = lockRetry
  }

  async run(): Promise<void> {
    const inspected = new Set<string>()
    for (let inspections = 1; ; inspections++) {
      const now = await this.#inspect()
      inspected.add(this.#partitionsOfOthers(now))
      try {
        await clearLeftOver(this.#session, this.#lockRetry, now.identity)
        const options = await canonicalOptions(this.#session, now, this.#request.partitions)
        const others = options.filter((request) => !this.#made.some(({ from }) => from === request.from))
        const { missing, there } = await stillWanted(this.#session, now, others)
        this.#there = there
        if (missing.length > 0) await this.#make(now, missing)
        return
      } catch (error) {
        if (!this.#session.alive || !isChange(error)) throw error
        if (inspections < MAX_INSPECTIONS) continue
        // If all inspections found the same partitions, the server refuses the statement for another reason.
        throw error instanceof Changed || inspected.size > 1 ? keepsChanging(this.#request.table, error) : error
      }
    }
  }

  #partitionsOfOthers({ partitions }: RangedTable): string {
    const own = this.#made.map(({ name }) => tableText(name))
    const others = partitions.filter(({ name }) => !own.includes(tableText(name)))
    return JSON.stringify(others.map(({ identity, name }) => [identity, name]))
  }

  made(): Made {
    const { longestMs, tries } = this.#lockRetry
    return {
      made: this.#made,
      foundMade: this.#there,
      longestMs,
      tries,
      proved: this.#proved === null ? null : { rows: this.#proved },
      notGiven: this.#notGiven,
      notes: this.#notes,
    }
  }

  async #inspect(): Promise<RangedTable> {
    const { table } = this.#request
    const now = await inspectPostgresPartitions(this.#session, table.table, false)
    if (now?.identity === table.identity) return now
    throw new SluiceError(
      'TABLE_REFUSED',
      `${tableText(table.table)} is no longer the table that this command inspected`,
      {
        where: tableText(table.table),
        hint: 'run the same command again if it is meant for this table',
      },
    )
  }

  async #make(now: RangedTable, missing: readonly NewPartition[]): Promise<void> {
    refuseDivided(now)
    const rest = knownDefaultPartition(now)
    if (rest !== null && (await hasToMove(this.#session, now, rest, missing))) {
      const work = { table: now, rest, options: missing }
      const moved = await moveDefault(this.#session, this.#lockRetry, this.#request, work).catch((error: unknown) => {
        throw rowRefusal(error, knownPartition(rest))
      })
      this.#made.push(...moved.made)
      this.#notGiven.push(...moved.notGiven)
      this.#notes.push(...moved.notes, ...(await this.#ofStandbys()))
      this.#proved = (this.#proved ?? 0n) + moved.proved
      return
    }
    for (const options of missing) {
      this.#request.onStep?.('making', BigInt(this.#made.length), BigInt(missing.length))
      this.report(options, await attachNew(this.#session, this.#lockRetry, now, options))
      this.#made.push({ ...options, moved: 0n })
    }
  }

  async #ofStandbys(): Promise<readonly string[]> {
    const names = await silentStandbys(this.#session).catch(() => [])
    if (names.length === 0) return []
    return [
      `snapshots on the standbys ${names.join(', ')} are unknown (hot_standby_feedback is off there, or hidden from this role): a REPEATABLE READ transaction of a standby that began before the move does not see the moved rows if it first reads the table now`,
    ]
  }

  report(options: NewPartition, { missing, notes }: Awaited<ReturnType<typeof attachNew>>): void {
    for (const one of missing) this.#notGiven.push({ partition: options.name.name, ...one })
    this.#notes.push(...notes)
  }
}

/**
 * Refuses a table whose newest partition has partitions itself: a new partition would have none.
 * @throws SluiceError TABLE_REFUSED
 */
function refuseDivided({ table, partitions }: RangedTable): void {
  const newest = partitions.findLast(({ isDefault }) => !isDefault)
  if (newest?.note !== PARTITIONED_ITSELF) return
  throw new SluiceError('TABLE_REFUSED', `the partitions of ${tableText(table)} have subpartitions`, {
    where: tableText(newest.name),
    reason: 'sluice creates only plain partitions',
    hint: 'create the next partitions by hand, with subpartitions like those of the newest one',
  })
}

async function hasToMove(
  session: CopySession,
  now: RangedTable,
  rest: RangePartition,
  missing: readonly NewPartition[],
): Promise<boolean> {
  const [row] = await session.ask(
    `SELECT pg_catalog.sum(pg_catalog.pg_relation_size(relid)) > ${SMALL_DEFAULT}::numeric FROM pg_catalog.pg_partition_tree(${literal(rest.identity)}::oid)`,
  )
  if (row?.[0] === 't') return true
  const { spans } = await strayRows(session, now, missing)
  return spans.some((rows) => rows > 0n)
}

/** True if another session dropped, attached or renamed an object, or wrote rows into an empty period. */
function isChange(error: unknown): boolean {
  if (error instanceof Changed) return true
  // 23505 and 23P01: new rows violate a constraint that the new table has from its neighbour, not from its parent.
  return /^(?:42P01|42P07|42P17|23514|23505|23P01|42704|42710|42703|42804|42809|3F000)$/.test(sqlStateOf(error) ?? '')
}
