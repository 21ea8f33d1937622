/** Tables by which the slots of a run can be steered: out of what a program says, and by the names that people write. */
import type { Event } from '../../model/run/event.ts'
import type { SteeredTables } from '../../model/share/queue-port.ts'

/** Whole names of tables whose last part this is. */
export function tablesCalled(table: string, names: readonly string[]): readonly string[] {
  return names.filter((name) => name.endsWith(`.${table}`))
}

/** Whether no slot has such a table; false while some of them have not planned. */
export function isOfNobody(table: string, { names, isWhole }: SteeredTables): boolean {
  return isWhole && !names.includes(table) && tablesCalled(table, names).length !== 1
}

export class SteeredNames {
  /** What the queue has not been told yet; undefined where it knows. */
  fresh: readonly string[] | undefined = undefined
  #isFollowing = false

  take(event: Event): void {
    if (event.type === 'plan.ready' && event.copies !== undefined) this.#tell(event.copies.map(({ table }) => table))
    // A transaction may be about several tables, and is applied whole: none of them is held back any more.
    else if (event.type === 'follow.progress' && !this.#isFollowing) {
      this.#isFollowing = true
      this.#tell([])
    }
  }

  /** The queue has been told. @param names what it was told */
  heard(names: readonly string[] | undefined): void {
    if (this.fresh === names) this.fresh = undefined
  }

  #tell(names: readonly string[]): void {
    this.fresh = names
  }
}
