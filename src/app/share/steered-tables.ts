/** Tables of a run that can be steered: reported by its programs, and matched with user input. */
import type { Event } from '../../model/run/event.ts'
import type { SteeredTables } from '../../model/share/queue-port.ts'

/** Full names of tables with this last part. */
export function tablesCalled(table: string, names: readonly string[]): readonly string[] {
  return names.filter((name) => name.endsWith(`.${table}`))
}

/** True if the name means no table of the run, or several. False while some tasks have not planned their tables. */
export function isUnknownTable(table: string, { names, isWhole }: SteeredTables): boolean {
  return isWhole && !names.includes(table) && tablesCalled(table, names).length !== 1
}

export class SteeredNames {
  /** Names not sent to the queue yet; undefined if none. */
  fresh: readonly string[] | undefined = undefined
  #isFollowing = false

  take(event: Event): void {
    if (event.type === 'plan.ready' && event.copies !== undefined) this.report(event.copies.map(({ table }) => table))
    // The stream applies whole transactions, which may change several tables: no single table can be paused any more.
    else if (event.type === 'follow.progress' && !this.#isFollowing) {
      this.#isFollowing = true
      this.report([])
    }
  }

  /** Call when the queue has received the names. @param names the names that were sent */
  markSent(names: readonly string[] | undefined): void {
    if (this.fresh === names) this.fresh = undefined
  }

  report(names: readonly string[]): void {
    this.fresh = names
  }
}
