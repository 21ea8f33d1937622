/** What a comparison for a sign-off came to, as the ledger has it. */
import { tableText } from '../../../model/copy/column-type.ts'
import { dec } from '../../../model/run/event.ts'
import type { FollowTable } from '../stream/followed-table.ts'
import type { SignOffAnswer } from '../ledger/sign-offs.ts'
import type { Round } from '../compare/proving.ts'

export function answerOf(
  { position, pauseMs, compared, request }: Round,
  tables: readonly FollowTable[],
  run: string,
): SignOffAnswer {
  const wanted = request?.scope.partition
  const partition = wanted === undefined ? undefined : (wanted.name ?? tableText(wanted.source))
  return {
    position,
    pauseMs,
    run,
    tables: compared.map(({ table: at, rows, targetRows, sums, differences, more, unread, ms }) => ({
      table: tables[at]?.name ?? '',
      ...(partition === undefined ? {} : { partition }),
      rows: dec(rows),
      targetRows: dec(targetRows),
      sourceSum: sums?.[0] ?? null,
      targetSum: sums?.[1] ?? null,
      differing: dec(differences.length + more),
      unread: dec(unread),
      equal: differences.length + more + unread === 0,
      ms,
    })),
  }
}
