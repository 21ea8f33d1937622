/**
 * Rows that the target accepted only at level ONE. They are reported, and listed in the ledger before their chunk is
 * completed.
 */
import { tableText } from '../../../../model/copy/column-type.ts'
import { dec, type Emit } from '../../../../model/run/event.ts'
import type { TablePlan } from '../../../../model/copy/plan.ts'
import type { LedgerDatabase } from '../../../../model/run/ledger-port.ts'
import type { RunOwner, TableKey } from '../../ledger/owner.ts'
import { noteRechecks } from '../../ledger/rechecks.ts'

type Key = readonly string[]

/** The parts of a table's context that are needed here. */
type Copied = {
  readonly name: string
  readonly plan: TablePlan
  readonly key: TableKey
  readonly database: LedgerDatabase
  readonly owner: RunOwner
  readonly emit: Emit<'rows.fallback'>
}

const LEVEL = 'ONE'
/** Limit of keys in one event. */
const MAX_KEYS = 100

export class WeakWrites {
  readonly #keys = new Map<string, Key[]>()

  /** @param table name in the target @param key texts of the target key; fewer for a row without clustering columns */
  note(table: string, key: readonly (string | null)[]): void {
    const texts = key.map((text) => text ?? '')
    const keys = this.#keys.get(table)
    if (keys === undefined) this.#keys.set(table, [texts])
    else keys.push(texts)
  }

  /**
   * Writes a table's noted keys, of all chunks, to the ledger. @throws SluiceError of the ledger; the keys stay noted
   */
  async storeKeys({ name, plan, key, database, owner, emit }: Copied): Promise<void> {
    const table = tableText(plan.target.table)
    const noted = this.#keys.get(table)
    if (noted === undefined) return
    this.#keys.delete(table)
    // A retried chunk writes its rows again, so keys may repeat.
    const keys = [...new Map(noted.map((one) => [JSON.stringify(one), one])).values()]
    try {
      await noteRechecks(database, owner, key, LEVEL, keys)
    } catch (thrown) {
      this.#keys.set(table, [...keys, ...(this.#keys.get(table) ?? [])])
      throw thrown
    }
    for (let from = 0; from < keys.length; from += MAX_KEYS) {
      const reported = keys.slice(from, from + MAX_KEYS)
      emit({ type: 'rows.fallback', table: name, level: LEVEL, rows: dec(reported.length), keys: reported })
    }
  }
}
