/** What a run that was killed has left: known by its mark, attached nowhere, and so nobody's. */
import { tableText } from '../../../model/copy/column-type.ts'
import type { KnownTable } from '../archiving/locks.ts'
import type { CopySession } from '../copy/session.ts'
import { tableSql } from '../copy/sql.ts'
import { asideTablesSql } from './names.ts'
import type { Patience } from './patience.ts'

/** In words; null where nothing is left. @param parent number of the partitioned table */
export async function leftOverOf(session: CopySession, parent: string): Promise<string | null> {
  const tables = await asideTables(session, parent)
  return tables.length === 0 ? null : `not attached: ${tables.map(({ name }) => tableText(name)).join(', ')}`
}

/** Only where no other program works on the table: it would be that one's. */
export async function clearLeftOver(session: CopySession, patience: Patience, parent: string): Promise<void> {
  for (const { oid, name } of await asideTables(session, parent)) {
    await patience.run([{ table: { oid, name }, mode: 'ACCESS EXCLUSIVE' }], async () => {
      // Somebody may have attached it by hand.
      const still = (await asideTables(session, parent)).some((one) => one.oid === oid)
      if (still) await session.ask(`DROP TABLE ${tableSql(name)}`)
    })
  }
}

async function asideTables(session: CopySession, parent: string): Promise<readonly KnownTable[]> {
  const rows = await session.ask(asideTablesSql(parent))
  return rows.map(([oid, schema, name]) => ({ oid: oid ?? '', name: { schema: schema ?? '', name: name ?? '' } }))
}
