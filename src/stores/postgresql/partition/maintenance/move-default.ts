/**
 * Moves rows out of a default partition, or replaces one that is too large to read under an exclusive lock. Rows are
 * copied while other sessions write, changes are applied by keys, and one short transaction swaps in the copies.
 */
import { tableText, type TableSpec } from '../../../../model/copy/column-type.ts'
import { NEVER, restUnder } from '../../../../shared/abort.ts'
import { SluiceError } from '../../../../shared/errors.ts'
import type {
  NewPartition,
  MakeRequest,
  RangedTable,
  RangePartition,
} from '../../../../model/partition/maintenance-port.ts'
import { arrayText } from '../../server/array-text.ts'
import { betweenSql, orderedBounds, type PartitionBounds } from '../../server/bounds.ts'
import { quoteName } from '../../server/connect.ts'
import type { CopySession } from '../../server/session.ts'
import { literal, tableSql } from '../../server/sql.ts'
import { describeTable } from '../../server/tables.ts'
import { underSignal } from '../../server/under-signal.ts'
import { type SideTable, NewPartitionTable, type MissingProperty, type NewPartitionOptions } from './new-table.ts'
import { SideTables, proveReplacement } from './replacement-tables.ts'
import { definitionFingerprint } from './definition.ts'
import { beginKeyLog, noteSql, type KeyLog } from './key-log.ts'
import { sideTableName } from './names.ts'
import { OldViews } from './old-views.ts'
import type { LockRetry } from '../../server/lock-retry.ts'
import { refuseUnmovable, unmovable } from './refusals.ts'
import { constraintAbove, knownPartition, neighbourOf } from './dependencies.ts'
import { Changed, NotNow } from './not-now.ts'
import { switchOver } from './switch.ts'

/**
 * The cutover follows the first round with at most this many notes that was also quick: it took at most `QUICK_MS` if
 * it was round 1, twice as long if it was round 2, and so on.
 */
const FEW = 500
const QUICK_MS = 100
/** Maximum number of rounds. If notes are left after them, other sessions write faster than changes can be applied. */
const MOST_ROUNDS = 100
const FIRST_REST_MS = 50

/** @property rest the default partition @property options new partitions, which take their rows from `rest` */
type DefaultMove = {
  readonly table: RangedTable
  readonly rest: RangePartition
  readonly options: readonly NewPartition[]
}

/** @property proved number of compared rows @property notGiven properties that a new partition did not get */
export type Moved = {
  readonly made: readonly (NewPartition & { readonly moved: bigint })[]
  readonly proved: bigint
  readonly notGiven: readonly (MissingProperty & { readonly partition: string })[]
  readonly notes: readonly string[]
}

/** @throws SluiceError TABLE_REFUSED, TARGET_BUSY, PROOF_FAILED; Changed; errors of the server */
export async function moveDefault(
  session: CopySession,
  lockRetry: LockRetry,
  request: MakeRequest,
  { table, rest, options }: DefaultMove,
): Promise<Moved> {
  // Until the cutover a stop cancels the running statement, and the created objects are removed.
  const { stop = NEVER.stop } = request
  const dropping = <T>(body: () => Promise<T>): Promise<T> => underSignal(session, stop, body)
  const { spec, key } = await dropping(() => refuseMove(session, table, rest))
  request.onStep?.('logging', 0n, rest.rows)
  const locks = [{ table: knownPartition(rest), mode: 'SHARE ROW EXCLUSIVE' } as const]
  const log = await lockRetry.run(locks, () => beginKeyLog(session, knownPartition(rest), key, table.identity))
  const definition = await definitionFingerprint(session, [table.identity, rest.identity, log.oid])

  const sideTable = await dropping(() => begun(session, lockRetry, { table, rest, options, spec, log }))
  const late: string[] = []
  await dropping(async () => {
    await lockRetry.retry(() => sideTable.fill((rows) => request.onStep?.('copying', rows, rest.rows)))
    for (const { newTable } of sideTable.tables) await newTable.addProperties()
    for (const { newTable: partitioned } of sideTable.tables)
      await session.ask(`ANALYZE ${tableSql(partitioned.table.name)}`)
    for (const { newTable: createdTable } of sideTable.tables)
      late.push(...(await lockRetry.retry(() => createdTable.acceptedLateStatements())))
  })
  const end = performance.now() + request.retryLimitMs
  for (let pause = FIRST_REST_MS; ; pause *= 2) {
    try {
      const { proved, views } = await dropping(async () => {
        await followed(lockRetry, sideTable, request)
        const since = await lockRetry.run(locks, () => sideTable.mirror())
        const compared = await lockRetry.retry(() => proveReplacement(session, spec, log, sideTable))
        const others = await OldViews.since(session, since, table.table)
        await others.waitForEnd(request)
        return { proved: compared, views: others }
      })
      request.onStep?.('switching', 0n, null)
      const { old, missing } = await switchOver(session, lockRetry, {
        table,
        rest: knownPartition(rest),
        log,
        sideTable,
        late,
        definition,
        views,
      })
      const renamedDefault = { oid: rest.identity, name: old }
      const drop = (): Promise<unknown> => session.ask(`DROP TABLE ${tableSql(old)}`)
      await lockRetry.run([{ table: renamedDefault, mode: 'ACCESS EXCLUSIVE' }], drop, true).catch((error: unknown) => {
        // After a stop, the next run drops the old default partition.
        if (!stop.aborted) throw error
      })
      return moved(sideTable, proved, missing)
    } catch (error) {
      if (!(error instanceof NotNow)) throw error
      // Again note only keys: noting and mirroring at the same time could miss a deleted row.
      await lockRetry.run(locks, () => session.ask(noteSql(log)))
      if (performance.now() + pause > end) throw notToBeHad(table, error)
    }
    await restUnder(stop, pause)
  }
}

/**
 * Checks if rows of the default partition can be moved; changes nothing.
 * @returns the key by which changes are applied
 * @throws SluiceError TABLE_REFUSED; Changed
 */
export async function refuseMove(
  session: CopySession,
  table: RangedTable,
  rest: RangePartition,
): Promise<{ readonly spec: TableSpec; readonly key: KeyLog['key'] }> {
  await refuseUnmovable(session, table, rest)
  const spec = await specOf(session, rest)
  return { spec, key: await keyOf(session, spec, rest) }
}

function notToBeHad({ table }: RangedTable, cause: NotNow): SluiceError {
  return new SluiceError('TARGET_BUSY', `the default partition of ${tableText(table)} could not be replaced`, {
    where: tableText(table),
    reason: cause.message,
    hint: 'run the same command again when there are fewer writes',
    retryable: true,
    cause,
  })
}

function moved({ tables }: SideTables, proved: bigint, cloned: readonly MissingProperty[]): Moved {
  const [first] = tables
  return {
    made: tables.flatMap(({ coming, rows }) => (coming === null ? [] : [{ ...coming, moved: rows }])),
    proved,
    notGiven: [
      ...tables.flatMap(({ newTable }) =>
        newTable.missing.map((one) => ({ partition: newTable.options.name.name, ...one })),
      ),
      ...cloned.map((one) => ({ partition: first?.newTable.options.name.name ?? '', ...one })),
    ],
    notes: tables.flatMap(({ newTable }) => newTable.notes),
  }
}

async function followed(lockRetry: LockRetry, sideTable: SideTables, { onStep, table }: MakeRequest): Promise<void> {
  for (let rounds = 1; rounds <= MOST_ROUNDS; rounds++) {
    const since = performance.now()
    const notes = await lockRetry.retry(() => sideTable.follow())
    onStep?.('following', BigInt(notes), null)
    if (notes <= FEW && performance.now() - since <= QUICK_MS * rounds) return
  }
  throw new SluiceError('TARGET_BUSY', `other sessions change the default partition faster than its copy is updated`, {
    where: tableText(table.table),
    hint: 'run the same command again when there are fewer writes',
    retryable: true,
  })
}

async function begun(
  session: CopySession,
  lockRetry: LockRetry,
  { table, rest, options, spec, log }: DefaultMove & { readonly spec: TableSpec; readonly log: KeyLog },
): Promise<SideTables> {
  const above = await constraintAbove(session, table)
  const also = above === null ? '' : ` AND (${above})`
  const parent = table.identity
  const { name, native } = table.column
  const begin = async (
    of: ReturnType<typeof knownPartition>,
    place: number | 'rest',
    into: NewPartition['name'],
    check: string,
    period?: NewPartitionOptions['period'],
  ): Promise<NewPartitionTable> => {
    const sideTablePlace = sideTableName(into.schema ?? '', parent, place)
    const request = {
      of,
      parent,
      sideTable: sideTablePlace,
      name: into,
      check: check + also,
      ...(period && { period }),
    }
    return lockRetry.retry(() => NewPartitionTable.begin(session, request))
  }
  const tables: SideTable[] = []
  const byKey = log.key.some((column) => column.name === name)
  for (const [i, requested] of options.entries()) {
    const period = { from: requested.from, to: requested.to, column: table.column, of: table.table }
    const newTable = await begin(neighbourOf(table), i, requested.name, betweenSql(name, native, requested), period)
    tables.push({
      newTable,
      coming: requested,
      belongs: (row) => betweenSql(name, native, requested, row),
      byKey,
      rows: 0n,
    })
  }
  const covered = await merged(session, table, options)
  const within = (row: string): string =>
    options.map((request) => `(${betweenSql(name, native, request, row)})`).join(' OR ')
  const partitioned = await begin(knownPartition(rest), 'rest', rest.name, outsideSql(name, native, covered))
  tables.push({ newTable: partitioned, coming: null, belongs: (row) => `NOT (${within(row)})`, byKey, rows: 0n })
  const columns = spec.columns.filter(({ generated }) => generated !== true).map((column) => column.name)
  return new SideTables(session, log, columns, tables)
}

/**
 * Ranges of existing and new partitions. Adjacent ranges are merged, so that the server has less to compare while other
 * sessions wait.
 */
async function merged(
  session: CopySession,
  table: RangedTable,
  options: readonly NewPartition[],
): Promise<readonly PartitionBounds[]> {
  const all = [...table.partitions.filter(({ isDefault }) => !isDefault), ...options]
  const sorted = await orderedBounds(
    session,
    all.map(({ from, to }) => ({ bounds: { from, to } })),
    { type: table.column.native, collation: null },
  )
  const ranges: PartitionBounds[] = []
  for (const { bounds } of sorted) {
    const last = ranges.at(-1)
    if (last !== undefined && last.to === bounds.from && last.to !== null) {
      ranges[ranges.length - 1] = { from: last.from, to: bounds.to }
    } else ranges.push(bounds)
  }
  return ranges
}

/** Condition in the form of the server's negated bounds: with any other form ATTACH would scan the table. */
function outsideSql(column: string, type: string, ranges: readonly PartitionBounds[]): string {
  const name = quoteName(column)
  const parts = ranges.map(({ from, to }) => {
    const below = from === null ? [] : [`${name} < CAST(${literal(from)} AS ${type})`]
    const above = to === null ? [] : [`${name} >= CAST(${literal(to)} AS ${type})`]
    return `(${[...below, ...above].join(' OR ') || 'false'})`
  })
  return `(${name} IS NULL OR (${parts.join(' AND ')}))`
}

async function specOf(session: CopySession, rest: RangePartition): Promise<TableSpec> {
  const spec = await describeTable(session, rest.identity, "'r'", '')
  if (spec !== null) return spec
  throw new Changed('the default partition is gone')
}

/** @throws SluiceError TABLE_REFUSED */
async function keyOf(session: CopySession, spec: TableSpec, rest: RangePartition): Promise<KeyLog['key']> {
  const nullable = spec.columns.some(({ name, nullable: may }) => may && spec.key.includes(name))
  if (spec.key.length > 0 && !nullable) {
    const rows = await session.ask(
      `SELECT a.attname, pg_catalog.format_type(a.atttypid, a.atttypmod) || coalesce(' COLLATE ' || pg_catalog.quote_ident(n.nspname) || '.' || pg_catalog.quote_ident(c.collname), '')
       FROM pg_catalog.pg_attribute a LEFT JOIN pg_catalog.pg_collation c ON c.oid = a.attcollation LEFT JOIN pg_catalog.pg_namespace n ON n.oid = c.collnamespace
       WHERE a.attrelid = ${literal(rest.identity)}::oid AND a.attnum > 0 AND NOT a.attisdropped`,
    )
    await refuseUnsafeKey(session, spec, rest)
    const types = new Map(rows.map(([name, type]) => [name ?? '', type ?? '']))
    return spec.key.map((name) => ({ name, type: types.get(name) ?? 'text' }))
  }
  throw unmovable(rest, {
    reason:
      'it has no primary key and no unique index on columns that are never NULL: changes during the copy could not be tracked',
    hint: `add one: ALTER TABLE … ADD PRIMARY KEY (…), or CREATE UNIQUE INDEX ON ${tableSql(rest.name)} (…)`,
  })
}

/**
 * Refuses a key that may not identify rows, or has operators outside `pg_catalog`.
 * @throws SluiceError TABLE_REFUSED
 */
async function refuseUnsafeKey(session: CopySession, { key }: TableSpec, rest: RangePartition): Promise<void> {
  const oid = `${literal(rest.identity)}::oid`
  const rows = await session.ask(
    `SELECT i.indimmediate, (SELECT pg_catalog.bool_and(o.oprnamespace = 'pg_catalog'::pg_catalog.regnamespace::oid)
         FROM pg_catalog.unnest(i.indclass::oid[]) AS c (oid) JOIN pg_catalog.pg_opclass k ON k.oid = c.oid
           JOIN pg_catalog.pg_amop a ON a.amopfamily = k.opcfamily AND a.amopstrategy = 3 AND a.amoplefttype = k.opcintype AND a.amoprighttype = k.opcintype
           JOIN pg_catalog.pg_operator o ON o.oid = a.amopopr)
     FROM pg_catalog.pg_index i WHERE i.indrelid = ${oid}::oid AND i.indisunique AND i.indisvalid AND i.indpred IS NULL
       AND (SELECT pg_catalog.array_agg(a.attname::text ORDER BY a.attname::text) FROM pg_catalog.pg_attribute a
            WHERE a.attrelid = i.indrelid AND a.attnum = ANY ((i.indkey::int2[])[0:i.indnkeyatts - 1]))
         OPERATOR(pg_catalog.=) (SELECT pg_catalog.array_agg(k ORDER BY k) FROM pg_catalog.unnest(${literal(arrayText(key))}::text[]) AS k)`,
  )
  if (rows.some(([immediate, own]) => immediate === 't' && own === 't')) return
  const deferred = rows.every(([immediate]) => immediate !== 't')
  throw unmovable(rest, {
    reason: deferred
      ? `its key (${key.join(', ')}) is DEFERRABLE: two rows can share one for a short time, and changes during that time could not be tracked`
      : `its key (${key.join(', ')}) is compared by an operator of an extension, which the triggers that track changes would not find`,
    hint: deferred
      ? `give the table a key that is checked at once: CREATE UNIQUE INDEX ON ${tableSql(rest.name)} (…), on columns that are never NULL`
      : 'move these rows by hand, at an hour without writes',
  })
}
