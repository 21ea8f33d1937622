/**
 * Records which transactions truncated which table: of all changes that the stream reports, only TRUNCATE gives a
 * partition a new file. Records also which new partitions the stream has reported.
 */
import type { LogPosition, Change } from '../../../../model/copy/change.ts'
import type { ChangeStream } from '../../../../model/follow/port.ts'
import { ReportedPartitions } from '../../../common/reported-partitions.ts'
import type { ReportedChanges } from './verify.ts'

/**
 * Limit of transactions kept per table. It is enough, because tables are inspected once a minute and right after each
 * TRUNCATE.
 */
const MOST = 1000

export class TruncateNotes implements ReportedChanges {
  readonly truncates = new Map<string, Set<number>>()
  readonly partitions = new ReportedPartitions()
  readonly unclear = new Map<string, LogPosition>()

  /** @param tables names, in the order in which the stream numbers them */
  listen(stream: ChangeStream, tables: readonly string[]): ChangeStream {
    let xid = 0
    const note = (change: Change): void => {
      if (change.type === 'begin') ({ xid } = change)
      if (change.type === 'truncate') for (const at of change.tables) this.note(tables[at] ?? '', xid)
      if (change.type === 'partition') this.partitions.note(tables[change.table] ?? '', change)
    }
    return {
      async next(waitMs: number): Promise<readonly Change[]> {
        const changes = await stream.next(waitMs)
        changes.forEach(note)
        return changes
      },
      confirm(position: LogPosition): void {
        stream.confirm(position)
      },
      ask(): void {
        stream.ask()
      },
      get end(): LogPosition {
        return stream.end
      },
      [Symbol.asyncDispose]: () => stream[Symbol.asyncDispose](),
    }
  }

  /** Notes that a transaction truncated a table. @param xid its id, 32 bits */
  note(table: string, xid: number): void {
    const known = this.truncates.get(table) ?? new Set()
    this.truncates.set(table, known.add(xid))
    const [oldest] = known
    if (known.size > MOST && oldest !== undefined) known.delete(oldest)
  }
}
