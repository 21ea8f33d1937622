/** Which part of which period a partition of the system is that stands in the table now. */
import { isOpen, partLabel } from '../ledger/parts.ts'
import { hasLeft, type ArchivedPartition } from '../ledger/record.ts'
import type { TableName } from '../../model/copy/column-type.ts'
import type { NativePartition } from '../../model/archive/port.ts'
import { readValue, type ValueKind } from '../../model/calendar/value-text.ts'
import type { PartName } from './further-part.ts'

type Bounds = Pick<NativePartition, 'from' | 'to'>

/** The name of a partition, and the one that has left whose bounds it has in part only, or that has left the archive, too. */
export type NativeName = {
  readonly name: PartName
  readonly across: ArchivedPartition | null
  /** Rows between its bounds are on their way out one by one, since before the table was partitioned. */
  readonly open?: ArchivedPartition
  readonly expired?: ArchivedPartition
  /** The partition itself, which had left and was attached again by hand: the archive has its rows. */
  readonly again?: ArchivedPartition
}

export class NativeParts {
  readonly #known: readonly ArchivedPartition[]
  readonly #standing: ReadonlySet<string>
  readonly #labels: Set<string>
  /** Of partitions that stand in the table, and of those that the ledger knows, by their name without schema. */
  readonly #schemas = new Map<string, Set<string | undefined>>()

  /** @param known of the ledger @param standing partitions that stand in the table now */
  constructor(known: readonly ArchivedPartition[], standing: readonly Pick<NativePartition, 'identity' | 'table'>[]) {
    this.#known = known
    this.#standing = new Set(standing.map(({ identity }) => identity))
    this.#labels = new Set(known.map(({ label }) => label))
    const tables = [...standing.map(({ table }) => table.table), ...known.flatMap(({ native }) => native?.table ?? [])]
    for (const { schema, name } of tables)
      this.#schemas.set(name, (this.#schemas.get(name) ?? new Set<string | undefined>()).add(schema))
  }

  /** Whether a partition of another schema has the name, too: one that stands in the table, or that the ledger knows. */
  isShared({ name }: TableName): boolean {
    return (this.#schemas.get(name)?.size ?? 0) > 1
  }

  /**
   * A table that the ledger knows keeps its name, and so does one that took the place of a table that has not left, or was restored. What stands between the bounds
   * of a partition that has left is a further part of it.
   * @param label what it is called where nothing of it is known
   */
  nameOf(partition: NativePartition, label: string, kind: ValueKind): NativeName {
    const own = this.#known.filter((one) => isOf(one, partition, kind) && !hasLeft(one))
    const same = own.find(({ state }) => state !== 'RESTORED') ?? own[0] ?? this.#replaced(partition, kind)
    if (same !== undefined) {
      const { label: known, period, part } = same
      return { name: { label: known, period, part }, across: null }
    }
    const open = this.#known.find((one) => one.native === null && isOpen(one) && overlaps(one, partition, kind))
    if (open !== undefined) return { name: { label, period: label, part: 1 }, across: null, open }
    const left = partition.isDefault ? [] : this.#known.filter(hasLeft)
    const around = left.filter((one) => holds(one, partition, kind))
    const [first] = around.toSorted((a, b) => a.part - b.part)
    const expired = around.find(({ state }) => state === 'EXPIRED')
    const again = left.find((one) => isOf(one, partition, kind) && one.state !== 'DROPPED')
    if (again !== undefined) return { name: this.#further(again.period), across: null, again }
    if (first !== undefined)
      return { name: this.#further(first.period), across: null, ...(expired === undefined ? {} : { expired }) }
    const across = left.find((one) => overlaps(one, partition, kind)) ?? null
    return { name: { label, period: label, part: 1 }, across }
  }

  /** What is known between the same bounds, has not left for the archive, and whose table is not there any more; or rows of a table that had no partitions yet. */
  #replaced(partition: NativePartition, kind: ValueKind): ArchivedPartition | undefined {
    return this.#known.find(
      (one) =>
        (one.native === null
          ? isOpen(one) || !hasLeft(one)
          : !hasLeft(one) && !this.#standing.has(one.native.identity)) &&
        holds(one, partition, kind) &&
        holds(partition, one, kind),
    )
  }

  #further(period: string): PartName {
    const parts = this.#known.filter((one) => one.period === period)
    let part = Math.max(...parts.map((one) => one.part)) + 1
    while (this.#labels.has(partLabel(period, part))) part++
    const label = partLabel(period, part)
    this.#labels.add(label)
    return { label, period, part }
  }
}

/** After a dump another table may have the number: its bounds are apart. */
function isOf(known: ArchivedPartition, partition: NativePartition, kind: ValueKind): boolean {
  const isApart = high(known, kind) <= low(partition, kind) || high(partition, kind) <= low(known, kind)
  return known.native?.identity === partition.identity && !isApart
}

/** Whether all between the inner bounds lies between the outer ones. */
function holds(outer: Bounds, inner: Bounds, kind: ValueKind): boolean {
  return low(outer, kind) <= low(inner, kind) && high(inner, kind) <= high(outer, kind)
}

/** Bounds of one partition that lie inside of another one: where that would have to be split. */
export function edgesWithin({ from, to }: Bounds, inside: Bounds, kind: ValueKind): readonly string[] {
  return [from, to].filter((bound): bound is string => {
    const at = bound === null ? NaN : (readValue(bound, kind)?.at ?? NaN)
    return low(inside, kind) < at && at < high(inside, kind)
  })
}

function overlaps(a: Bounds, b: Bounds, kind: ValueKind): boolean {
  return low(a, kind) < high(b, kind) && low(b, kind) < high(a, kind)
}

/** NaN for a bound that is no time: it is neither before nor behind another one. */
function low({ from }: Bounds, kind: ValueKind): number {
  return from === null ? -Infinity : (readValue(from, kind)?.at ?? NaN)
}

function high({ to }: Bounds, kind: ValueKind): number {
  return to === null ? Infinity : (readValue(to, kind)?.at ?? NaN)
}
