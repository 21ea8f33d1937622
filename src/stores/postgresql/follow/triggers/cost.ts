/** Measures the cost of triggers for writers, on copies of rows in a transaction that is rolled back. */
import { tableText } from '../../../../model/copy/column-type.ts'
import { SluiceError } from '../../../../shared/errors.ts'
import { millisText } from '../../../../shared/figures.ts'
import type { FollowedTable } from '../../../../model/follow/port.ts'
import { costLines, costText, emptyText, medianOf, unmeasuredText } from '../../../common/trigger-stream/cost-text.ts'
import { isConnectionLoss } from '../../server/server-errors.ts'
import { quoteName } from '../../server/connect.ts'
import { columnList, literal, tableSql } from '../../server/sql.ts'
import type { CopySession } from '../../server/session.ts'
import { makePostgresLog, makeSchema } from './log.ts'

const WRITES = 200
/** Trials of each kind of write; the median is reported, because other programs use the same machine. */
const TRIALS = 5
const SCHEMA = 'sluice_trial'

/** @returns as `costLines` */
export function postgresTriggerCost(
  session: CopySession,
  tables: readonly FollowedTable[],
  signal: AbortSignal,
): Promise<readonly string[]> {
  return costLines(tables, signal, (one) => costOf(session, one))
}

async function costOf(session: CopySession, one: FollowedTable): Promise<string> {
  const name = tableText(one.table.table)
  await session.begin('ISOLATION LEVEL READ COMMITTED READ WRITE')
  try {
    await makeSchema(session, SCHEMA)
    const scratch = { schema: SCHEMA, name: 'scratch' }
    // Defaults, checks and indexes over expressions are left out: they would call functions of users.
    await session.ask(`CREATE TABLE ${tableSql(scratch)} (LIKE ${tableSql(one.table.table)} INCLUDING STORAGE)`)
    const rows = await session.run(
      `INSERT INTO ${tableSql(scratch)} SELECT * FROM ${tableSql(one.table.table)} LIMIT ${WRITES}`,
    )
    if (rows === 0) return emptyText(name)
    await session.ask(
      `ALTER TABLE ${tableSql(scratch)} ADD PRIMARY KEY (${columnList(one.identity)}); ANALYZE ${tableSql(scratch)}`,
    )
    const without = await median(session, scratch, one.identity)
    await makePostgresLog(session, SCHEMA, { ...one, table: { ...one.table, table: scratch } })
    const noted = await median(session, scratch, one.identity)
    return `${name}: a write of one row takes ${millisText(without / rows)}, ${costText('trigger', without / rows, noted / rows, millisText)}; measured with ${rows * TRIALS} writes of each kind to a copy of ${rows} rows`
  } catch (error) {
    if (error instanceof SluiceError || isConnectionLoss(error) || !session.alive) throw error
    return unmeasuredText(name, error)
  } finally {
    await session.rollBack()
  }
}

/** Median time, in ms, to update every row once. The server runs a separate statement for each row. */
async function median(
  session: CopySession,
  table: { readonly schema: string; readonly name: string },
  key: readonly string[],
): Promise<number> {
  const same = key.map((name) => `t.${quoteName(name)} = one.${quoteName(name)}`).join(' AND ')
  const [first = ''] = key
  const body = `DECLARE one record; BEGIN
    FOR one IN SELECT ${columnList(key)} FROM ${tableSql(table)} LOOP
      UPDATE ${tableSql(table)} AS t SET ${quoteName(first)} = t.${quoteName(first)} WHERE ${same};
    END LOOP;
  END`
  const taken: number[] = []
  // The first trial is not counted, because the server's caches may still be empty.
  for (let trial = 0; trial <= TRIALS; trial++) {
    const [from] = await session.ask('SELECT extract(epoch FROM pg_catalog.clock_timestamp())::numeric * 1000::numeric')
    await session.ask(`DO ${literal(body)}`)
    const [to] = await session.ask('SELECT extract(epoch FROM pg_catalog.clock_timestamp())::numeric * 1000::numeric')
    if (trial > 0) taken.push(Number(to?.[0]) - Number(from?.[0]))
  }
  return medianOf(taken)
}
