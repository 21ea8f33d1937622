/** Rows that a target took at ONE only: told of, and listed in the ledger before their chunk counts as done. */
import { tableText } from '../../../../model/copy/column-type.ts'
import { dec, type Emit } from '../../../../model/run/event.ts'
import type { TablePlan } from '../../../../model/copy/plan.ts'
import type { LedgerDatabase } from '../../../../model/copy/port.ts'
import type { Owner, TableKey } from '../../ledger/owner.ts'
import { noteRechecks } from '../../ledger/rechecks.ts'

type Key = readonly string[]

/** The copy of a table, as far as it matters here. */
type Copied = {
  readonly name: string
  readonly plan: TablePlan
  readonly key: TableKey
  readonly database: LedgerDatabase
  readonly owner: Owner
  readonly emit: Emit<'rows.fallback'>
}

const LEVEL = 'ONE'
/** Keys in one event. */
const TOLD = 100

export class WeakWrites {
  readonly #keys = new Map<string, Key[]>()

  /** @param table as the target names it @param key its texts there; of a row that has no clustering columns, fewer */
  note(table: string, key: readonly (string | null)[]): void {
    const texts = key.map((text) => text ?? '')
    const keys = this.#keys.get(table)
    if (keys === undefined) this.#keys.set(table, [texts])
    else keys.push(texts)
  }

  /**
   * Lists what was noted of a table so far, of whatever chunk.
   * @throws SluiceError of the ledger; what was noted stays noted then
   */
  async keep({ name, plan, key, database, owner, emit }: Copied): Promise<void> {
    const table = tableText(plan.target.table)
    const noted = this.#keys.get(table)
    if (noted === undefined) return
    this.#keys.delete(table)
    // A chunk that was tried again has written its rows again.
    const keys = [...new Map(noted.map((one) => [JSON.stringify(one), one])).values()]
    try {
      await noteRechecks(database, owner, key, LEVEL, keys)
    } catch (thrown) {
      this.#keys.set(table, [...keys, ...(this.#keys.get(table) ?? [])])
      throw thrown
    }
    for (let from = 0; from < keys.length; from += TOLD) {
      const told = keys.slice(from, from + TOLD)
      emit({ type: 'rows.fallback', table: name, level: LEVEL, rows: dec(told.length), keys: told })
    }
  }
}
