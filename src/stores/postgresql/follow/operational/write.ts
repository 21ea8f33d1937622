/** Whether a row can be written: one is updated to itself, found by its key, and the transaction is rolled back. */
import { keyColumns } from '../../../common/key-ranges.ts'
import { quoteName } from '../../server/connect.ts'
import type { CopySession } from '../../server/session.ts'
import { literal, operatorSql } from '../../server/sql.ts'
import { isGuarded } from '../switch/guard.ts'
import type { Examined, Verdict } from './examined.ts'

/** Triggers fire as they would for anybody; what they write is rolled back with the row. */
export async function writeLands(session: CopySession, { oid, sql, spec }: Examined): Promise<Verdict> {
  const key = keyColumns(spec)
  if (key.length === 0) return { outcome: 'not checked', found: 'the table has no key by which one row is found' }
  if (await isGuarded(session, oid))
    return { outcome: 'not checked', found: 'it is parked: nobody but its stream writes into it before a cut-over' }
  const [[settable] = []] = await session.ask(
    `SELECT attname FROM pg_catalog.pg_attribute WHERE attrelid = ${literal(oid)}::oid AND attnum > 0 AND NOT attisdropped
       AND attidentity <> 'a' AND attgenerated = '' ORDER BY attname = ANY (ARRAY[${spec.key.map(literal).join(', ')}]), attnum LIMIT 1`,
  )
  if (settable == null) return { outcome: 'not checked', found: 'no column of the table may be set by an UPDATE' }
  const [row] = await session.ask(
    `SELECT ${spec.key.map((name) => `${quoteName(name)}::text`).join(', ')} FROM ${sql} LIMIT 1`,
  )
  if (row === undefined) return { outcome: 'not checked', found: 'the table holds no row to be written again' }
  // Untyped literals take the types of the columns.
  const same = key.map((one, i) => `${quoteName(one.name)} ${operatorSql('=', [one])} ${literal(row[i] ?? '')}`)
  const column = quoteName(settable)
  const changed = await session.run(`UPDATE ${sql} SET ${column} = ${column} WHERE ${same.join(' AND ')}`)
  // What is only checked at the end of a transaction has to be checked before this one is rolled back.
  await session.ask('SET CONSTRAINTS ALL IMMEDIATE')
  const [[role] = []] = await session.ask('SELECT current_user')
  if (changed === 1)
    return { outcome: 'ok', found: `as role ${role}, one row was updated to itself by its key, and rolled back` }
  return {
    outcome: 'failed',
    found: `as role ${role}, an UPDATE of one row by its key changed ${changed} rows`,
    hint: 'look for triggers, rules and policies of the table that keep rows from being written',
  }
}
