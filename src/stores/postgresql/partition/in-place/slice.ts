/**
 * Splits the latest period from the first partition (the past). Its rows move in one transaction; all other sessions
 * wait for it. The new partition gets the properties of the first one, because partitions do not inherit them.
 */
import { tableText, type TableName } from '../../../../model/copy/column-type.ts'
import { SluiceError } from '../../../../shared/errors.ts'
import type { SlicePlan, SliceRequest } from '../../../../model/partition/in-place-port.ts'
import { attachTable, createLike, type Parent } from '../../archive/attach.ts'
import { boundsSql } from '../../server/bounds.ts'
import { partitionKey, tableByName } from '../../server/known.ts'
import { LACKS_IDENTITY } from '../../server/server-errors.ts'
import { ownFunctionSql } from '../../server/own-function.ts'
import { quoteName } from '../../server/connect.ts'
import type { CopySession } from '../../server/session.ts'
import { columnList, literal, tableSql } from '../../server/sql.ts'
import type { LockRetry } from '../../server/lock-retry.ts'
import { ofPublications, type Why } from '../maintenance/refusals.ts'
import { revokeOthers } from '../maintenance/rights.ts'
import { staleGenerated } from '../maintenance/row-refusals.ts'
import { leadsIndex } from '../plan/by-index.ts'
import { sliceMark } from '../../server/marks.ts'
import { pastOf, type Leaf } from './revert.ts'
import { ownStatementsSql } from '../../archive/own-sql.ts'
import type { KnownTable } from '../../server/locks.ts'

/** Maximum number of rows that are moved as a sample, to measure the time per row. */
const SAMPLE = 20_000
/**
 * Factor on the measured time: adds the time of the bounds check and of foreign key lookups. Measured: 1.03 to 1.28.
 */
const EXTRA_TIME_FACTOR = 1.3
const LOCK_MS = 200

type Sliced = {
  readonly parent: Parent
  readonly leaf: Leaf
  readonly past: string
  readonly columns: string
  readonly condition: string
}

/**
 * Counts the rows to move and estimates the time. For this, copies a sample of rows into a table like the partition and
 * deletes the sample again, in a transaction that is rolled back.
 * @throws SluiceError PARTITION_REFUSED, PLAN_CHANGED
 */
export async function planSlice(session: CopySession, request: SliceRequest): Promise<SlicePlan> {
  const { parent, leaf, past, columns, condition } = await slicedOf(session, request)
  await refuseBound(session, request, { parent, leaf })
  const before = performance.now()
  await refuseStale(session, request, { leaf, condition })
  const staleMs = performance.now() - before
  const rows = BigInt((await session.one(`SELECT count(*) FROM ${past} WHERE ${condition}`)) ?? 0)
  const trial = { schema: parent.name.schema ?? 'public', name: sliceMark(leaf.oid) }
  await createLike(session, parent, trial)
  const since = performance.now()
  await session.ask(
    `INSERT INTO ${tableSql(trial)} (${columns}) OVERRIDING SYSTEM VALUE SELECT ${columns} FROM ${past} WHERE ${condition} LIMIT ${SAMPLE}`,
  )
  await session.ask(`DELETE FROM ${tableSql(trial)}`)
  const sampled = rows < BigInt(SAMPLE) ? Number(rows) : SAMPLE
  const each = sampled === 0 ? 0 : (performance.now() - since) / sampled
  return { rows, ms: Math.ceil(Number(rows) * each * EXTRA_TIME_FACTOR + staleMs) }
}

/**
 * Adds a CHECK constraint that the server later accepts as the bounds of the narrower past. The constraint calls a
 * function of sluice, which returns true until the rows have moved. Other sessions do not wait for the validation.
 */
export async function prepareSlice(session: CopySession, request: SliceRequest, lockRetry: LockRetry): Promise<void> {
  const { leaf, past } = await slicedOf(session, request)
  const { mark, fn, said } = markOf(request, leaf)
  const [row] = await session.ask(
    `SELECT k.convalidated, pg_catalog.obj_description(k.oid, 'pg_constraint') = ${literal(said)} FROM pg_catalog.pg_constraint k WHERE k.conrelid = ${leaf.oid}::oid AND k.conname = ${literal(mark)}`,
  )
  if (row?.[1] !== 't') {
    await lockRetry.run([], async () => {
      await session.ask(`SET LOCAL lock_timeout TO ${LOCK_MS}; LOCK TABLE ONLY ${past} IN ACCESS EXCLUSIVE MODE`)
      await session.ask(
        [
          ...(row === undefined ? [] : [`ALTER TABLE ${past} DROP CONSTRAINT ${quoteName(mark)}`]),
          ...functionSql(fn, leaf, true),
          // Every role that writes a row calls the function.
          `GRANT EXECUTE ON FUNCTION ${fn}() TO PUBLIC`,
          `ALTER TABLE ${past} ADD CONSTRAINT ${quoteName(mark)} CHECK (${said}) NOT VALID`,
          `COMMENT ON CONSTRAINT ${quoteName(mark)} ON ${past} IS ${literal(said)}`,
        ].join(';\n'),
      )
    })
  }
  if (row?.[1] !== 't' || row[0] !== 't')
    await session.ask(`ALTER TABLE ${past} VALIDATE CONSTRAINT ${quoteName(mark)}`)
}

/**
 * Moves the rows of the period. The caller has locked the table and its partitions. The server trusts the check and
 * reads no row of the past. A lookup by index after the DELETE, under the same lock, verifies the check.
 * @returns number of moved rows
 * @throws SluiceError PLAN_CHANGED, PARTITION_REFUSED
 */
export async function moveSlice(session: CopySession, request: SliceRequest): Promise<bigint> {
  const { parent, leaf, past, columns, condition } = await slicedOf(session, request)
  await refuseBound(session, request, { parent, leaf })
  await refuseStale(session, request, { leaf, condition })
  const { mark, fn, said } = markOf(request, leaf)
  const [valid] = await session.ask(
    `SELECT FROM pg_catalog.pg_constraint k WHERE k.conrelid = ${leaf.oid}::oid AND k.conname = ${literal(mark)} AND k.convalidated AND pg_catalog.obj_description(k.oid, 'pg_constraint') = ${literal(said)}`,
  )
  if (valid === undefined) throw changed(request, 'its check no longer exists')
  await refuseSnapshots(session, request)
  const schema = parent.name.schema ?? 'public'
  const model = { oid: leaf.oid, name: leaf.past }
  const name = { schema, name: request.partition.name }
  const states = await statesOfPast(session, model, parent, [leaf.past, name])
  await session.ask(`ALTER TABLE ${tableSql(parent.name)} DETACH PARTITION ${past}`)
  const made = await createLike(session, parent, name)
  await revokeOthers(session, 'TABLE', made.oid)
  await session.askAll(await ownOfPast(session, model, parent, 'empty', made))
  // After the DELETE the planner still expects these rows, and would scan the table to find one.
  await session.ask('SET LOCAL enable_seqscan TO off')
  const inserted = await session.run(
    `INSERT INTO ${tableSql(made.name)} (${columns}) OVERRIDING SYSTEM VALUE SELECT ${columns} FROM ${past} WHERE ${condition}`,
  )
  await session.askAll(made.unchecked)
  const deleted = await session.run(`DELETE FROM ${past} WHERE ${condition}`)
  const [left] = await session.ask(`SELECT FROM ${past} WHERE ${condition} LIMIT 1`)
  if (inserted !== deleted || left !== undefined)
    throw changed(request, `${inserted} rows were copied, but ${deleted} were deleted from the partition of the past`)
  await session.ask('SET LOCAL enable_seqscan TO DEFAULT')
  await attachTable(session, parent, made, request.partition)
  await session.ask(
    [
      ...functionSql(fn, leaf, false),
      `ALTER TABLE ${tableSql(parent.name)} ATTACH PARTITION ${past} ${boundsSql({ from: null, to: request.partition.from })}`,
      `ALTER TABLE ${past} DROP CONSTRAINT ${quoteName(mark)}`,
      `DROP FUNCTION ${fn}()`,
    ].join(';\n'),
  )
  await session.askAll([...(await ownOfPast(session, model, parent, 'attached', made)), ...states])
  return BigInt(deleted)
}

async function slicedOf(session: CopySession, request: SliceRequest): Promise<Sliced> {
  const { table, partition } = request
  const found = await tableByName(session, table)
  const leaf = await pastOf(session, table)
  const key = found === null ? null : await partitionKey(session, found)
  if (found === null || leaf === null || key === null) throw changed(request, 'it has no partition of the past')
  const rows = await session.ask(
    `SELECT attname FROM pg_catalog.pg_attribute WHERE attrelid = ${found.oid}::oid AND attnum > 0 AND NOT attisdropped AND attgenerated = '' ORDER BY attnum`,
  )
  return {
    parent: { ...found, key },
    leaf,
    past: tableSql(leaf.past),
    columns: columnList(rows.map(([name]) => name ?? '')),
    condition: `${quoteName(key.column)} >= CAST(${literal(partition.from)} AS ${key.type})`,
  }
}

function markOf({ partition, column }: SliceRequest, { oid, past }: Leaf) {
  const mark = sliceMark(oid)
  const fn = tableSql({ ...past, name: mark })
  const said = `${quoteName(column.name)} IS NOT NULL AND (${quoteName(column.name)} < CAST(${literal(partition.from)} AS ${column.native}) OR ${fn}())`
  return { mark, fn, said }
}

/**
 * The function is IMMUTABLE, so that the server evaluates it when it compares the check with the bounds of a partition.
 */
function functionSql(fn: string, { oid }: Leaf, answer: boolean): readonly string[] {
  return ownFunctionSql(fn, oid, `RETURNS boolean LANGUAGE plpgsql IMMUTABLE AS 'BEGIN RETURN ${answer}; END'`)
}

/**
 * Refuses a session that has a snapshot from before the move. Its query for the period would read the new partition,
 * and would not see the moved rows.
 * @throws SluiceError TARGET_BUSY, so that it is retried
 */
async function refuseSnapshots(session: CopySession, { table }: SliceRequest): Promise<void> {
  const [row] = await session.ask(
    `SELECT pg_catalog.format('%s (process %s)', coalesce(nullif(s.application_name, ''), 'a session'), s.pid) FROM pg_catalog.pg_stat_activity s
     WHERE s.datname = pg_catalog.current_database() AND s.pid <> pg_catalog.pg_backend_pid() AND s.state ~ '^idle in transaction' AND s.backend_xmin IS NOT NULL LIMIT 1`,
  )
  if (row === undefined) return
  throw new SluiceError('TARGET_BUSY', `a session holds an old snapshot of ${tableText(table)}`, {
    where: tableText(table),
    reason: `${row[0]} is idle in a transaction in REPEATABLE READ or SERIALIZABLE, and would not see moved rows`,
    hint: 'end it, then run the same command again',
    retryable: true,
  })
}

function refused({ table, partition }: SliceRequest, leaf: Leaf, { reason, hint }: Why): SluiceError {
  return new SluiceError('PARTITION_REFUSED', `${partition.name} cannot be split from ${tableText(leaf.past)}`, {
    where: tableText(table),
    reason,
    hint,
  })
}

/** Refuses generated values that the move would change: the server computes them again. */
async function refuseStale(
  session: CopySession,
  request: SliceRequest,
  { leaf, condition }: Pick<Sliced, 'leaf' | 'condition'>,
): Promise<void> {
  const stale = await staleGenerated(session, { oid: leaf.oid, name: leaf.past }, condition)
  if (stale !== null) throw refused(request, leaf, stale)
}

/** Refuses objects that prevent the move, make it too slow, or run with the DELETE of the rows. */
async function refuseBound(
  session: CopySession,
  request: SliceRequest,
  { parent, leaf }: Pick<Sliced, 'parent' | 'leaf'>,
): Promise<void> {
  const { table, partition, column } = request
  const refuse = (reason: string, hint: string): SluiceError => refused(request, leaf, { reason, hint })
  const [same] = await session.ask(
    `SELECT CAST(${literal(leaf.bound)} AS ${column.native}) = CAST(${literal(partition.to)} AS ${column.native})`,
  )
  if (same?.[0] !== 't')
    throw refuse(
      `the partition of the past ends at ${leaf.bound}, and the period at ${partition.to}`,
      'give the last period of that partition: its remaining rows must be one range',
    )
  const past = tableSql(leaf.past)
  const [row] = await session.ask(
    `SELECT a.attnum FROM pg_catalog.pg_attribute a WHERE a.attrelid = ${leaf.oid}::oid AND a.attname = ${literal(column.name)}`,
  )
  if (!(await leadsIndex({ session, oid: leaf.oid, attnum: row?.[0] ?? '0' })))
    throw refuse(
      `no index begins with ${column.name}: all rows would be read while all sessions wait`,
      `CREATE INDEX CONCURRENTLY ON ${past} (${quoteName(column.name)})`,
    )
  const both = `(${literal(tableSql(table))}::pg_catalog.regclass::oid, ${leaf.oid}::oid)`
  const rows = await session.ask(
    `SELECT pg_catalog.format('%s of %s', k.conname, k.conrelid::pg_catalog.regclass) FROM pg_catalog.pg_constraint k
     WHERE k.contype = 'f' AND k.conparentid = 0::oid AND k.confrelid IN ${both}
     UNION ALL SELECT 'publication ' || p.pubname::text FROM pg_catalog.pg_publication p JOIN pg_catalog.pg_publication_rel r ON r.prpubid = p.oid
     WHERE r.prrelid IN ${both} AND p.pubname ~ '^sluice_'::text`,
  )
  if (rows.length > 0)
    throw refuse(
      `${rows.map(([name]) => name).join(', ')}: the server would check all referring rows, or delete or change them with the moved rows, or a stream would miss the move`,
      'drop it, and create it again after the slice',
    )
  const published = await ofPublications(session, { identity: parent.oid }, { identity: leaf.oid, name: leaf.past })
  if (published !== null) throw refused(request, leaf, published)
  await refuseUnidentified(session, request, { parent, leaf })
  const firing = await session.ask(
    `SELECT 'trigger ' || t.tgname::text FROM pg_catalog.pg_trigger t WHERE t.tgrelid = ${leaf.oid}::oid AND NOT t.tgisinternal
       AND t.tgparentid = 0::oid AND t.tgenabled NOT IN ('D', 'R') AND t.tgtype & 8::int2 <> 0
     UNION ALL SELECT 'rule ' || r.rulename::text FROM pg_catalog.pg_rewrite r
     WHERE r.ev_class = ${leaf.oid}::oid AND r.ev_type = '4' AND r.ev_enabled NOT IN ('D', 'R') ORDER BY 1`,
  )
  if (firing.length > 0)
    throw refuse(
      `${firing.map(([name]) => name).join(', ')} of ${tableText(leaf.past)}: it would run for moved rows, because a move deletes them there`,
      'disable it, and enable it again after the slice',
    )
}

/**
 * Refuses a replica identity that only the first partition has: the server would refuse published updates and deletes
 * of rows in the new partition.
 */
async function refuseUnidentified(
  session: CopySession,
  request: SliceRequest,
  { parent, leaf }: Pick<Sliced, 'parent' | 'leaf'>,
): Promise<void> {
  const [found] = await session.ask(
    `SELECT x.relname, p.pubname FROM pg_catalog.pg_index i JOIN pg_catalog.pg_class x ON x.oid = i.indexrelid
       JOIN pg_catalog.pg_class c ON c.oid = i.indrelid AND CASE c.relreplident WHEN 'i' THEN i.indisreplident WHEN 'd' THEN i.indisprimary END
       JOIN pg_catalog.pg_publication_rel r ON r.prrelid IN (SELECT relid::oid FROM pg_catalog.pg_partition_ancestors(${literal(parent.oid)}::oid) relid)
       JOIN pg_catalog.pg_publication p ON p.oid = r.prpubid AND (p.pubupdate OR p.pubdelete)
     WHERE c.oid = ${leaf.oid}::oid AND NOT x.relispartition
       AND NOT EXISTS (SELECT FROM pg_catalog.pg_index k WHERE k.indrelid = ${literal(parent.oid)}::oid AND k.indisprimary AND k.indimmediate)`,
  )
  if (found === undefined) return
  const [index, publication] = found.map((name) => quoteName(name ?? ''))
  throw refused(request, leaf, {
    reason: `the publication ${publication} publishes updates or deletes, which the server would refuse in the new partition: it would have neither a primary key nor the index ${index} of the replica identity`,
    hint: LACKS_IDENTITY.hint,
  })
}

function changed({ table }: SliceRequest, reason: string): SluiceError {
  return new SluiceError('PLAN_CHANGED', `${tableText(table)} was changed after it was planned`, {
    where: tableText(table),
    reason,
    hint: 'inspect its partitions with sluice partition list',
  })
}

/**
 * Place numbers of the statements of `ownStatementsSql` for an attached table: owner, triggers, rules, row security,
 * replica identity, grants.
 */
const ATTACHED: ReadonlySet<number> = new Set([30, 35, 36, 37, 38, 40, 41, 42, 44, 50, 51, 64, 65, 66])
const REPLICA_IDENTITY = 44

/**
 * Statements that give the new partition the properties of the first one. `empty`: storage, before rows are moved.
 * `attached`: owner, triggers, rules, rights and replica identity.
 */
async function ownOfPast(
  session: CopySession,
  past: KnownTable,
  parent: KnownTable,
  stage: 'empty' | 'attached',
  made: KnownTable,
): Promise<readonly string[]> {
  const names = stage === 'empty' ? new Map<string, string>() : await indexesOf(session, past, made)
  const rows = await session.ask(ownStatementsSql(past.oid, parent.oid, { name: made.name, names }))
  const [identity] = await session.ask(
    `SELECT indexrelid FROM pg_catalog.pg_index WHERE indrelid = ${literal(past.oid)}::oid AND indisreplident`,
  )
  // The replica identity is an index that only the first partition has.
  const isUnknown = identity !== undefined && !names.has(identity[0] ?? '')
  return rows.flatMap(([of, , sql, place]) => {
    const number = Number(place)
    if (stage === 'empty') return of === 'empty' ? [sql ?? ''] : []
    return !ATTACHED.has(number) || (number === REPLICA_IDENTITY && isUnknown) ? [] : [sql ?? '']
  })
}

/**
 * Statements that set the states of triggers as in the first partition. They are needed because an attachment creates
 * the triggers of the parent enabled.
 * @param past the first partition, still attached
 * @param tables partitions that will be attached
 */
async function statesOfPast(
  session: CopySession,
  past: KnownTable,
  parent: KnownTable,
  tables: readonly TableName[],
): Promise<readonly string[]> {
  const statements: string[] = []
  for (const name of tables) {
    const rows = await session.ask(ownStatementsSql(past.oid, parent.oid, { name, names: new Map() }))
    statements.push(...rows.flatMap(([stage, , sql]) => (stage === 'cloned' ? [sql ?? ''] : [])))
  }
  return statements
}

/** Names of a partition's indexes, by the OID of the index of `from` that belongs to the same index of the parent. */
async function indexesOf(
  session: CopySession,
  from: KnownTable,
  { oid }: KnownTable,
): Promise<ReadonlyMap<string, string>> {
  const rows = await session.ask(
    `SELECT f.indexrelid, c.relname FROM pg_catalog.pg_index f JOIN pg_catalog.pg_inherits h ON h.inhrelid = f.indexrelid
       JOIN pg_catalog.pg_inherits o ON o.inhparent = h.inhparent JOIN pg_catalog.pg_index i ON i.indexrelid = o.inhrelid
       JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid
     WHERE f.indrelid = ${literal(from.oid)}::oid AND i.indrelid = ${literal(oid)}::oid`,
  )
  return new Map(rows.map(([number, name]) => [number ?? '', name ?? '']))
}
