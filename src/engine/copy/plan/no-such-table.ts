/** Error for a missing table, with the name that was probably meant. */
import { tableText } from '../../../model/copy/column-type.ts'
import { closest } from '../../../shared/closest.ts'
import { SluiceError } from '../../../shared/errors.ts'
import { shellQuote } from '../../../shared/shell.ts'
import { EVERY_TABLE } from '../operations/discover-database/declaration.ts'
import type { CopyStore } from '../../../model/copy/port.ts'
import { isLedgerTable } from '../../../stores/common/ledger-tables.ts'

/** Time limit of the search, ms: the user waits for the error. */
const TIMEOUT_MS = 3000

type SearchedStore = Pick<CopyStore, 'label' | 'tables'>

/** @param words such as `the source has no table ordrs` @returns NO_SUCH_TABLE: words and suggested table */
export async function noSuchTable(store: SearchedStore, name: string, words: string): Promise<SluiceError> {
  const meant = name.includes('*') ? null : await similarTable(store, name)
  return new SluiceError('NO_SUCH_TABLE', `${words}${meant === null ? '' : ` (${meant}?)`}`, {
    where: store.label,
    hint: `sluice discover ${shellQuote(store.label)} lists the tables`,
  })
}

/** A similar name, or the same name in another schema; null if there is none, or the database does not answer. */
async function similarTable(store: SearchedStore, name: string): Promise<string | null> {
  const signal = AbortSignal.timeout(TIMEOUT_MS)
  const found = new Map<string, string>()
  for (const pattern of EVERY_TABLE) {
    try {
      for (const { table } of await store.tables(pattern, signal)) {
        if (isLedgerTable(table)) continue
        const whole = tableText(table)
        found.set(whole.toLowerCase(), whole)
        // If two schemas have the name, keep the table that can be named without a schema: it is found first.
        if (!found.has(table.name.toLowerCase())) found.set(table.name.toLowerCase(), whole)
      }
    } catch {
      // Ignore errors: a system may have no schemas, or may not answer. The missing table is reported in any case.
    }
  }
  const bare = name.slice(name.lastIndexOf('.') + 1).toLowerCase()
  const known = [...found.keys()]
  const near = found.has(bare) ? bare : (closest(name, known) ?? closest(bare, known))
  return near === null ? null : (found.get(near) ?? null)
}
