/** What a run that was killed has left: known by its mark, attached nowhere, and so nobody's. */
import { tableText, type TableName } from '../../../model/copy/column-type.ts'
import { tableByIdentity } from '../archiving/known.ts'
import type { KnownTable } from '../archiving/locks.ts'
import type { CopySession } from '../copy/session.ts'
import { tableSql } from '../copy/sql.ts'
import { dropKeyLogSql, keyLogOf } from './key-log.ts'
import { isOwnName, markedTablesSql } from './names.ts'
import type { Patience } from './patience.ts'

/** In words; null where nothing is left. @param parent number of the partitioned table */
export async function leftOverOf(session: CopySession, parent: string): Promise<string | null> {
  const tables = await marked(session, parent)
  if (tables.length === 0) return null
  const names = tables.map(({ name }) => tableText(name)).join(', ')
  return tables.some(({ name }) => followed(name) !== null)
    ? `triggers that note changes of the default partition, and ${names}`
    : `not attached: ${names}`
}

/** Only where no other program works on the table: it would be that one's. */
export async function clearLeftOver(session: CopySession, patience: Patience, parent: string): Promise<void> {
  for (const table of await marked(session, parent)) {
    const followedOid = followed(table.name)
    if (followedOid === null) await dropAside(session, patience, parent, table)
    else await dropLog(session, patience, table, followedOid)
  }
}

async function dropAside(session: CopySession, patience: Patience, parent: string, table: KnownTable): Promise<void> {
  await patience.run([{ table, mode: 'ACCESS EXCLUSIVE' }], async () => {
    // Somebody may have attached it by hand.
    const still = (await marked(session, parent)).some(({ oid }) => oid === table.oid)
    if (still) await session.ask(`DROP TABLE ${tableSql(table.name)}`)
  })
}

/** @param followedOid number of the table whose changes it holds */
async function dropLog(session: CopySession, patience: Patience, log: KnownTable, followedOid: string): Promise<void> {
  const on = await tableByIdentity(session, followedOid)
  const { note } = keyLogOf({ oid: followedOid, name: log.name }, [])
  await patience.run(on === null ? [] : [{ table: on, mode: 'ACCESS EXCLUSIVE' }], async () => {
    await session.ask(dropKeyLogSql({ table: log.name, note }, on?.name ?? null))
  })
}

/** Of a log of keys, the number of the table that it is about. */
function followed({ name }: TableName): string | null {
  return /^sluice_keys_(\d+)$/.exec(name)?.[1] ?? null
}

async function marked(session: CopySession, parent: string): Promise<readonly KnownTable[]> {
  const rows = await session.ask(markedTablesSql(parent))
  return rows
    .map(([oid, schema, name]) => ({ oid: oid ?? '', name: { schema: schema ?? '', name: name ?? '' } }))
    .filter(({ name }) => isOwnName(name))
}
