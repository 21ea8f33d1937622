/** What is said where a database has no table of a name: which one was probably meant. */
import { tableText } from '../../../model/copy/column-type.ts'
import { closest } from '../../../shared/closest.ts'
import { SluiceError } from '../../../shared/errors.ts'
import { EVERY_TABLE } from '../operations/discover-database/declaration.ts'
import type { CopyStore } from '../../../model/copy/port.ts'
import { isLedgerTable } from '../../../stores/common/ledger-tables.ts'

/** For as long as somebody waits for a refusal. */
const PATIENCE_MS = 3000

type Asked = Pick<CopyStore, 'label' | 'tables'>

/**
 * @param words what is said: `the source has no table ordrs`
 * @returns NO_SUCH_TABLE, with the table that was probably meant behind the words
 */
export async function noSuchTable(store: Asked, name: string, words: string): Promise<SluiceError> {
  const meant = name.includes('*') ? null : await meantTable(store, name)
  return new SluiceError('NO_SUCH_TABLE', `${words}${meant === null ? '' : ` (${meant}?)`}`, {
    where: store.label,
    hint: 'sluice discover URL lists the tables',
  })
}

/** A name that is near, or the same name in another schema; null where nothing is near, or the database does not tell. */
async function meantTable(store: Asked, name: string): Promise<string | null> {
  const signal = AbortSignal.timeout(PATIENCE_MS)
  const found = new Map<string, string>()
  for (const pattern of EVERY_TABLE) {
    try {
      for (const { table } of await store.tables(pattern, signal)) {
        if (isLedgerTable(table)) continue
        const whole = tableText(table)
        found.set(whole.toLowerCase(), whole)
        // Where two schemas have the name, the one that needs no schema comes first.
        if (!found.has(table.name.toLowerCase())) found.set(table.name.toLowerCase(), whole)
      }
    } catch {
      // Some systems have no schemas, and some do not answer any more: what is wrong has been said.
    }
  }
  const bare = name.slice(name.lastIndexOf('.') + 1).toLowerCase()
  const known = [...found.keys()]
  const near = found.has(bare) ? bare : (closest(name, known) ?? closest(bare, known))
  return near === null ? null : (found.get(near) ?? null)
}
