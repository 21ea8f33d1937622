/** CHECK constraint on the bounds, so that the server scans no rows when the table becomes a partition. */
import { tableText } from '../../../../model/copy/column-type.ts'
import { SluiceError } from '../../../../shared/errors.ts'
import type {
  InPlaceRequest,
  InPlaceStatement,
  InPlaceReported,
  OutsideRows,
} from '../../../../model/partition/in-place-port.ts'
import { betweenSql } from '../../server/bounds.ts'
import { quoteName } from '../../server/connect.ts'
import type { CopySession } from '../../server/session.ts'
import { literal, tableSql } from '../../server/sql.ts'
import { sqlStateOf } from '../../server/server-errors.ts'
import { deadlockTimeoutSql } from '../../follow/switch/take.ts'
import type { LockRetry } from '../../server/lock-retry.ts'
import type { About } from '../plan/about.ts'
import { boundsMark, sliceMark } from '../../server/marks.ts'

/** State of the constraint: `other` has other bounds; `unchecked` is not validated yet. */
export type BoundsState = 'missing' | 'other' | 'unchecked' | 'valid'

/** Condition of the constraint. It has no lower bound, since programs may still write old rows. */
export function newRowsCondition({ planned, bound }: InPlaceRequest): string {
  return betweenSql(planned.column.name, planned.column.native, { from: null, to: bound })
}

export async function boundsState(
  { session, oid }: Pick<About, 'session' | 'oid'>,
  request: InPlaceRequest,
): Promise<BoundsState> {
  const [row] = await session.ask(
    `SELECT pg_catalog.obj_description(k.oid, 'pg_constraint') = ${literal(noteOf(request))}, k.convalidated FROM pg_catalog.pg_constraint k
     WHERE k.conrelid = ${oid}::oid AND k.conname = ${literal(boundsMark(oid))}`,
  )
  if (row === undefined) return 'missing'
  if (row[0] !== 't') return 'other'
  return row[1] === 't' ? 'valid' : 'unchecked'
}

function noteOf(request: InPlaceRequest): string {
  return `sluice in place: ${newRowsCondition(request)}`
}

function addSql(
  { sql, oid }: Pick<About, 'sql' | 'oid'>,
  request: InPlaceRequest,
  state: BoundsState,
): readonly string[] {
  const name = quoteName(boundsMark(oid))
  return [
    ...(state === 'other' ? [`ALTER TABLE ${sql} DROP CONSTRAINT ${name}`] : []),
    `ALTER TABLE ${sql} ADD CONSTRAINT ${name} CHECK (${newRowsCondition(request)}) NOT VALID`,
    `COMMENT ON CONSTRAINT ${name} ON ${sql} IS ${literal(noteOf(request))}`,
  ]
}

function validateSql({ sql, oid }: Pick<About, 'sql' | 'oid'>): string {
  return `ALTER TABLE ${sql} VALIDATE CONSTRAINT ${quoteName(boundsMark(oid))}`
}

export async function boundsStatements(about: About, request: InPlaceRequest): Promise<readonly InPlaceStatement[]> {
  const state = await boundsState(about, request)
  const isDone = state === 'unchecked' || state === 'valid'
  return [
    ...addSql(about, request, state).map((sql) => ({ step: 'check' as const, sql, isDone })),
    { step: 'validate', sql: validateSql(about), isDone: state === 'valid' },
  ]
}

/**
 * Adds the constraint NOT VALID, then validates it. Other sessions wait at most the lock timeout. The validation reads
 * the table once and blocks no reader and no writer.
 * @throws SluiceError PARTITION_REFUSED if a row is outside of the bounds; the constraint is then removed
 */
export async function addBoundsCheck(
  about: Pick<About, 'session' | 'oid' | 'sql' | 'schema' | 'name'>,
  request: InPlaceRequest,
  lockRetry: LockRetry,
  report: InPlaceReported,
): Promise<void> {
  const { session, sql } = about
  const state = await boundsState(about, request)
  const said = `rows must have a ${request.planned.column.name} before ${request.bound}`
  if (state === 'unchecked' || state === 'valid') report('check', 'found', said)
  else {
    await withTableLock(about, lockRetry, addSql(about, request, state))
    report('check', 'done', `${said}: new rows of other sessions are checked from now on`)
  }
  if (state === 'valid') {
    report('validate', 'found', said)
    return
  }
  report('validate', 'begun', 'the table is read once')
  try {
    await session.ask(validateSql(about))
  } catch (error) {
    if (!session.alive || sqlStateOf(error) !== '23514') throw error
    await dropChecks(about, lockRetry)
    throw outsideRefused(request, await countOutsideRows(session, sql, request))
  }
  report('validate', 'done', `all rows are before ${request.bound}`)
}

/** Drops the bounds constraint and the check of a slice, if they exist. @returns true if one of them existed */
export async function dropChecks(
  about: Pick<About, 'session' | 'oid' | 'sql' | 'schema'>,
  lockRetry: LockRetry,
): Promise<boolean> {
  const { session, oid, sql } = about
  const bounds = (await hasCheck(session, oid, boundsMark(oid))) ? [dropBoundsSql(sql, oid)] : []
  const statements = [...bounds, ...(await dropSliceSql(about))]
  if (statements.length === 0) return false
  await withTableLock(about, lockRetry, statements)
  return true
}

/**
 * Statements that drop the check of a slice that was prepared but not moved, and its function; none without a check.
 */
export async function dropSliceSql({
  session,
  oid,
  sql,
  schema,
}: Pick<About, 'session' | 'oid' | 'sql' | 'schema'>): Promise<readonly string[]> {
  const mark = sliceMark(oid)
  // Without the check, a function of this name may be another user's.
  if (!(await hasCheck(session, oid, mark))) return []
  return [
    `ALTER TABLE ${sql} DROP CONSTRAINT ${quoteName(mark)}`,
    `DROP FUNCTION IF EXISTS ${tableSql({ schema, name: mark })}()`,
  ]
}

function hasCheck(session: CopySession, oid: string, name: string): Promise<boolean> {
  return session.isTrue(
    `SELECT EXISTS (SELECT FROM pg_catalog.pg_constraint k WHERE k.conrelid = ${oid}::oid AND k.conname = ${literal(name)})`,
  )
}

export function dropBoundsSql(table: string, oid: string): string {
  return `ALTER TABLE ${table} DROP CONSTRAINT IF EXISTS ${quoteName(boundsMark(oid))}`
}

/** Runs statements under a short exclusive lock of the table. */
async function withTableLock(
  { session, oid, sql }: Pick<About, 'session' | 'oid' | 'sql'>,
  lockRetry: LockRetry,
  statements: readonly string[],
): Promise<void> {
  await lockRetry.run([], async () => {
    await session.ask(`${deadlockTimeoutSql(session.version)}; SET LOCAL lock_timeout TO ${LOCK_MS}`)
    await session.ask(`LOCK TABLE ONLY ${sql} IN ACCESS EXCLUSIVE MODE`)
    if (!(await session.isTrue(`SELECT ${literal(sql)}::pg_catalog.regclass::oid = ${oid}::oid`)))
      throw new SluiceError('PLAN_CHANGED', `${sql} is no longer the table that was planned`, {
        hint: 'run the same command again',
      })
    await session.ask(statements.join('; '))
  })
}

const LOCK_MS = 200

/** Counts the rows outside of the bounds. Reads the whole table if no index can be used. */
export async function countOutsideRows(
  session: CopySession,
  sql: string,
  request: InPlaceRequest,
): Promise<OutsideRows> {
  const { column, kind } = request.planned
  const by = quoteName(column.name)
  const beyond = `${by} >= CAST(${literal(request.bound)} AS ${column.native})`
  const finite = kind === 'epoch-seconds' || kind === 'epoch-milliseconds' ? 'true' : `pg_catalog.isfinite(${by})`
  const [row] = await session.ask(
    `SELECT count(*) FILTER (WHERE ${by} IS NULL), count(*) FILTER (WHERE ${beyond}), pg_catalog.max(${by}) FILTER (WHERE ${beyond} AND ${finite})
     FROM ONLY ${sql} WHERE ${by} IS NULL OR ${beyond}`,
  )
  return { nulls: BigInt(row?.[0] ?? 0), beyond: BigInt(row?.[1] ?? 0), latest: row?.[2] ?? null }
}

export function outsideRefused(
  { planned, bound }: InPlaceRequest,
  { nulls, beyond, latest }: OutsideRows,
): SluiceError {
  const table = tableText(planned.table.table)
  const by = quoteName(planned.column.name)
  const sql = tableSql(planned.table.table)
  const parts = [
    ...(nulls > 0n ? [`${nulls} without a value in ${planned.column.name}`] : []),
    ...(beyond > 0n ? [`${beyond} at or after ${bound}${latest === null ? '' : `, the latest at ${latest}`}`] : []),
  ]
  return new SluiceError('PARTITION_REFUSED', `rows of ${table} cannot stay in one partition before ${bound}`, {
    where: table,
    reason: parts.length === 0 ? 'these rows were removed during the check' : parts.join('; '),
    hint: [
      ...(nulls > 0n
        ? [`give a time to the rows without a value, which this query shows: SELECT * FROM ${sql} WHERE ${by} IS NULL`]
        : []),
      ...(beyond > 0n
        ? [
            `end the first partition later with --last PERIOD, or give an earlier time to the later rows, which this query shows: SELECT * FROM ${sql} WHERE ${by} >= ${literal(bound)}`,
          ]
        : []),
      'run the same command again',
    ].join('; '),
  })
}
