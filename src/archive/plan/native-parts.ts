/** Decides which part of which period an attached native partition is. */
import { isInProgress, partLabel } from '../ledger/parts.ts'
import { hasLeft, type ArchivedPartition } from '../ledger/record.ts'
import type { TableName, TableSpec } from '../../model/copy/column-type.ts'
import type { NativePartition } from '../../model/archive/port.ts'
import { readValue, type ValueKind } from '../../model/calendar/value-text.ts'
import type { PartName } from './further-part.ts'

type Bounds = Pick<NativePartition, 'from' | 'to'>

/**
 * A published partition that the table no longer has.
 * @property isReplaced whether other partitions within its bounds may have its rows
 */
export type MissingPartition = { readonly partition: ArchivedPartition; readonly isReplaced: boolean }

/** A partition of the table now, of any system. */
type Standing = Bounds & Pick<NativePartition, 'identity' | 'isDefault'>

/** Partitions of the ledger in the range of an attached partition. */
export type LedgerOverlap = {
  /** Its ledger entry: that of its table, or of a table that it replaced and that was not archived, or was restored. */
  readonly own: ArchivedPartition | null
  /** The partition that was in this range before: the first part of the period. */
  readonly left: ArchivedPartition | null
  /** A removed partition whose range overlaps in part. */
  readonly across: ArchivedPartition | null
  /** A partition in this range whose rows are being removed one by one, begun before the table was partitioned. */
  readonly open?: ArchivedPartition
  readonly expired?: ArchivedPartition
  /** The partition itself, archived and attached again by hand: the archive has its rows. */
  readonly again?: ArchivedPartition
}

/** The name of a partition, and what prevents archiving it under this name. */
export type NativeName = Omit<LedgerOverlap, 'own' | 'left'> & { readonly name: PartName }

export class NativeParts {
  readonly #known: readonly ArchivedPartition[]
  readonly #standing: ReadonlySet<string>
  readonly #labels: Set<string>
  /** Schemas by table name, of attached partitions and of those in the ledger. */
  readonly #schemas = new Map<string, Set<string | undefined>>()

  /** @param known partitions of the ledger @param standing attached partitions */
  constructor(
    known: readonly ArchivedPartition[],
    standing: readonly { readonly identity: string; readonly table: Pick<TableSpec, 'table'> }[],
  ) {
    this.#known = known
    this.#standing = new Set(standing.map(({ identity }) => identity))
    this.#labels = new Set(known.map(({ label }) => label))
    const tables = [...standing.map(({ table }) => table.table), ...known.flatMap(({ native }) => native?.table ?? [])]
    for (const { schema, name } of tables)
      this.#schemas.set(name, (this.#schemas.get(name) ?? new Set<string | undefined>()).add(schema))
  }

  /** True if a partition of another schema has the same name, attached or in the ledger. */
  isShared({ name }: TableName): boolean {
    return (this.#schemas.get(name)?.size ?? 0) > 1
  }

  /** Finds the ledger entry for an attached partition. Every decision about a partition must use this. */
  seen(partition: Standing, kind: ValueKind): LedgerOverlap {
    const own = this.#known.filter((one) => isOf(one, partition, kind) && !hasLeft(one))
    const same = own.find(({ state }) => state !== 'RESTORED') ?? own[0] ?? this.#replaced(partition, kind)
    if (same !== undefined) return { own: same, left: null, across: null }
    const open = this.#known.find((one) => one.native === null && isInProgress(one) && overlaps(one, partition, kind))
    if (open !== undefined) return { own: null, left: null, across: null, open }
    const left = partition.isDefault ? [] : this.#known.filter(hasLeft)
    const again = left.find((one) => isOf(one, partition, kind) && one.state !== 'DROPPED')
    if (again !== undefined) return { own: null, left: again, across: null, again }
    const around = left.filter((one) => holds(one, partition, kind))
    const [first] = around.toSorted((a, b) => a.part - b.part)
    if (first === undefined)
      return { own: null, left: null, across: left.find((one) => overlaps(one, partition, kind)) ?? null }
    const expired = around.find(({ state }) => state === 'EXPIRED')
    return { own: null, left: first, across: null, ...(expired === undefined ? {} : { expired }) }
  }

  /**
   * Published entries whose rows should be in the table, but which no partition there matches.
   * @param isNumbered whether the partition numbers in the ledger come from this database: in another one, partitions
   * match by equal bounds
   */
  missing(
    partitions: readonly (Standing & Pick<NativePartition, 'isLeaving'>)[],
    kind: ValueKind,
    isNumbered: boolean,
  ): readonly MissingPartition[] {
    const there = partitions.filter(({ isLeaving }) => !isLeaving)
    return this.#known.filter(isInTable).flatMap((partition) => {
      const isThere = there.some((one) => isOf(partition, one, kind) || (!isNumbered && isSameRange(partition, one)))
      if (isThere) return []
      const isReplaced = there.some(
        (one) => !one.isDefault && (isSameRange(partition, one) || overlaps(partition, one, kind)),
      )
      return [{ partition, isReplaced }]
    })
  }

  /** Reason of the hold that keeps it in the table: its own, or that of its period for late rows. Null without one. */
  heldBy({ own, left }: LedgerOverlap): string | null {
    if (own !== null || left === null) return own?.held ?? null
    return this.#known.find(({ period, part }) => period === left.period && part === 1)?.held ?? null
  }

  /**
   * A partition with a ledger entry keeps its name. One within the bounds of a removed partition is a further part of
   * it.
   * @param label name if the ledger has nothing about it
   */
  nameOf(partition: NativePartition, label: string, kind: ValueKind): NativeName {
    const { own, left, ...others } = this.seen(partition, kind)
    if (own !== null) return { name: { label: own.label, period: own.period, part: own.part }, ...others }
    return { name: left === null ? { label, period: label, part: 1 } : this.#further(left.period), ...others }
  }

  /** A ledger entry with the same bounds that is not archived and whose table is gone, or was unpartitioned. */
  #replaced(partition: Standing, kind: ValueKind): ArchivedPartition | undefined {
    return this.#known.find(
      (one) =>
        (one.native === null
          ? isInProgress(one) || !hasLeft(one)
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

/** Whether it is published, and its rows are those of a partition of the table. */
export function isInTable({ state, native, away, leaving }: ArchivedPartition): boolean {
  return state === 'PUBLISHED' && native !== null && !away && !leaving
}

/** As the system prints bounds, which may be no times. */
function isSameRange(a: Bounds, b: Bounds): boolean {
  return a.from === b.from && a.to === b.to
}

/** After a dump another table may have the number: its bounds are apart. */
function isOf(known: ArchivedPartition, partition: Standing, kind: ValueKind): boolean {
  const isApart = high(known, kind) <= low(partition, kind) || high(partition, kind) <= low(known, kind)
  return known.native?.identity === partition.identity && !isApart
}

/** True if the inner range lies within the outer one. */
function holds(outer: Bounds, inner: Bounds, kind: ValueKind): boolean {
  return low(outer, kind) <= low(inner, kind) && high(inner, kind) <= high(outer, kind)
}

/** Bounds of one partition that lie inside another one, where that would have to be split. */
export function edgesWithin({ from, to }: Bounds, inside: Bounds, kind: ValueKind): readonly string[] {
  return [from, to].filter((bound): bound is string => {
    const at = bound === null ? NaN : (readValue(bound, kind)?.at ?? NaN)
    return low(inside, kind) < at && at < high(inside, kind)
  })
}

function overlaps(a: Bounds, b: Bounds, kind: ValueKind): boolean {
  return low(a, kind) < high(b, kind) && low(b, kind) < high(a, kind)
}

/** NaN for a bound that is not a time: it is neither less nor greater than another one. */
function low({ from }: Bounds, kind: ValueKind): number {
  return from === null ? -Infinity : (readValue(from, kind)?.at ?? NaN)
}

function high({ to }: Bounds, kind: ValueKind): number {
  return to === null ? Infinity : (readValue(to, kind)?.at ?? NaN)
}
