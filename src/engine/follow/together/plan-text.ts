/** Tables of a stream as text, so that a program elsewhere compares the same columns by the same conditions. */
import type { FollowTable } from '../stream/followed-table.ts'

/** What a comparison needs to know of a table. */
export type ComparedTable = Pick<FollowTable, 'plan' | 'targetWhere'>

/** Stands for a whole number that JSON has no type for. No name of a column option or a setting begins like that. */
const INTEGER = '$integer'

export function tablesText(tables: readonly ComparedTable[]): string {
  const kept = tables.map(({ plan, targetWhere }) => ({ plan, targetWhere }))
  return JSON.stringify(kept, (_name, value: unknown) =>
    typeof value === 'bigint' ? { [INTEGER]: value.toString() } : value,
  )
}

export function tablesOf(text: string): readonly ComparedTable[] {
  return JSON.parse(text, (_name, value: unknown) => {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, INTEGER)) return value
    return BigInt((value as Record<string, string>)[INTEGER] ?? '')
  }) as ComparedTable[]
}
