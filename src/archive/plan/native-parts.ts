/** Assigns attached native partitions to periods, and to parts of periods. */
import { isInProgress, partLabel } from '../ledger/parts.ts'
import { hasLeft, type ArchivedPartition } from '../ledger/record.ts'
import type { TableName, TableSpec } from '../../model/copy/column-type.ts'
import type { NativePartition } from '../../model/archive/port.ts'
import { readValue, type ValueKind } from '../../model/calendar/value-text.ts'
import type { PartName } from './further-part.ts'

type Bounds = Pick<NativePartition, 'from' | 'to'>

/**
 * A published partition that is no longer a partition of the table.
 * @property isReplaced true if other partitions within its bounds may have its rows
 */
export type MissingPartition = { readonly partition: ArchivedPartition; readonly isReplaced: boolean }

/** A partition that the table has now, in any system. */
type AttachedPartition = Bounds & Pick<NativePartition, 'identity' | 'isDefault'>

/** Partitions of the ledger in the range of an attached partition. */
export type LedgerOverlap = {
  /**
   * Entry of the partition itself. Otherwise an entry that is not archived and has the same bounds: it was recorded
   * before the table was partitioned, or its own table is not attached now. Null without such an entry.
   */
  readonly own: ArchivedPartition | null
  /** The partition that was in this range before: the first part of the period. */
  readonly left: ArchivedPartition | null
  /** A removed partition whose range overlaps this range only partly. */
  readonly across: ArchivedPartition | null
  /** A partition in this range that was begun before the table was partitioned: its rows are removed one by one. */
  readonly open?: ArchivedPartition
  /** An expired partition of the period that was in this range. */
  readonly expired?: ArchivedPartition
  /** The partition itself, archived and attached again by hand: the archive has its rows. */
  readonly again?: ArchivedPartition
}

/** The name of a partition, and what prevents archiving it under this name. */
export type NativeName = Omit<LedgerOverlap, 'own' | 'left'> & { readonly name: PartName }

export class NativeParts {
  readonly #known: readonly ArchivedPartition[]
  readonly #attached: ReadonlySet<string>
  readonly #labels: Set<string>
  /** Schemas by table name, of attached partitions and of partitions in the ledger. */
  readonly #schemas = new Map<string, Set<string | undefined>>()

  /** @param known partitions of the ledger @param attached attached partitions */
  constructor(
    known: readonly ArchivedPartition[],
    attached: readonly { readonly identity: string; readonly table: Pick<TableSpec, 'table'> }[],
  ) {
    this.#known = known
    this.#attached = new Set(attached.map(({ identity }) => identity))
    this.#labels = new Set(known.map(({ label }) => label))
    const tables = [...attached.map(({ table }) => table.table), ...known.flatMap(({ native }) => native?.table ?? [])]
    for (const { schema, name } of tables)
      this.#schemas.set(name, (this.#schemas.get(name) ?? new Set<string | undefined>()).add(schema))
  }

  /** True if a partition of another schema has the same name, attached or in the ledger. */
  isShared({ name }: TableName): boolean {
    return (this.#schemas.get(name)?.size ?? 0) > 1
  }

  /** True if the ledger has this label for other bounds. */
  isOfOther(label: string, partition: Bounds): boolean {
    return this.#known.some((one) => one.label === label && !isSameRange(one, partition))
  }

  /** Finds the ledger entries for an attached partition. Every decision about a partition must use this. */
  overlapOf(partition: AttachedPartition, kind: ValueKind): LedgerOverlap {
    const own = this.#known.filter((one) => isOf(one, partition, kind) && !hasLeft(one))
    const same = own.find(({ state }) => state !== 'RESTORED') ?? own[0] ?? this.#replaced(partition, kind)
    if (same !== undefined) return { own: same, left: null, across: null }
    const open = this.#known.find((one) => one.native === null && isInProgress(one) && overlaps(one, partition, kind))
    if (open !== undefined) return { own: null, left: null, across: null, open }
    const left = partition.isDefault ? [] : this.#known.filter(hasLeft)
    const again = left.find((one) => isOf(one, partition, kind) && one.state !== 'DROPPED')
    if (again !== undefined) return { own: null, left: again, across: null, again }
    const around = left.filter((one) => contains(one, partition, kind))
    const [first] = around.toSorted((a, b) => a.part - b.part)
    if (first === undefined)
      return { own: null, left: null, across: left.find((one) => overlaps(one, partition, kind)) ?? null }
    const expired = around.find(({ state }) => state === 'EXPIRED')
    return { own: null, left: first, across: null, ...(expired === undefined ? {} : { expired }) }
  }

  /**
   * Published entries whose rows should be in the table, but which match no partition of it.
   * @param isNumbered true if the table identities in the ledger are from this database; in another database,
   * partitions match by equal bounds
   */
  missing(
    partitions: readonly (AttachedPartition & Pick<NativePartition, 'isLeaving'>)[],
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

  /** Reason of the partition's hold; for late rows, of the hold on their period. Null without a hold. */
  heldBy({ own, left }: LedgerOverlap): string | null {
    if (own !== null || left === null) return own?.held ?? null
    return this.#known.find(({ period, part }) => period === left.period && part === 1)?.held ?? null
  }

  /**
   * The name for the archive: the name in the ledger entry; the next part of the period for a partition within the
   * bounds of a removed one; otherwise `label`.
   * @param label name if the ledger has nothing about it
   */
  nameOf(partition: NativePartition, label: string, kind: ValueKind): NativeName {
    const { own, left, ...others } = this.overlapOf(partition, kind)
    if (own !== null) return { name: { label: own.label, period: own.period, part: own.part }, ...others }
    return { name: left === null ? { label, period: label, part: 1 } : this.#further(left.period), ...others }
  }

  /** The entry with the same bounds that `LedgerOverlap.own` describes; undefined without such an entry. */
  #replaced(partition: AttachedPartition, kind: ValueKind): ArchivedPartition | undefined {
    return this.#known.find(
      (one) =>
        (one.native === null
          ? isInProgress(one) || !hasLeft(one)
          : !hasLeft(one) && !this.#attached.has(one.native.identity)) &&
        contains(one, partition, kind) &&
        contains(partition, one, kind),
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

/** True if the partition is published, and its rows are in an attached partition of the table. */
export function isInTable({ state, native, away, leaving }: ArchivedPartition): boolean {
  return state === 'PUBLISHED' && native !== null && !away && !leaving
}

/** True if the bounds are equal as printed texts. They are not compared as times, because other types are possible. */
function isSameRange(a: Bounds, b: Bounds): boolean {
  return a.from === b.from && a.to === b.to
}

/** True if identities are equal and bounds overlap: after a dump, a table of another range may have this identity. */
function isOf(known: ArchivedPartition, partition: AttachedPartition, kind: ValueKind): boolean {
  const isApart = high(known, kind) <= low(partition, kind) || high(partition, kind) <= low(known, kind)
  return known.native?.identity === partition.identity && !isApart
}

/** True if the inner range is within the outer one. */
function contains(outer: Bounds, inner: Bounds, kind: ValueKind): boolean {
  return low(outer, kind) <= low(inner, kind) && high(inner, kind) <= high(outer, kind)
}

/** Bounds of the given range that are within `inside`: `inside` would have to be split at these bounds. */
export function edgesWithin({ from, to }: Bounds, inside: Bounds, kind: ValueKind): readonly string[] {
  return [from, to].filter((bound): bound is string => {
    const at = bound === null ? NaN : (readValue(bound, kind)?.at ?? NaN)
    return low(inside, kind) < at && at < high(inside, kind)
  })
}

function overlaps(a: Bounds, b: Bounds, kind: ValueKind): boolean {
  return low(a, kind) < high(b, kind) && low(b, kind) < high(a, kind)
}

/** Lower bound as a number. NaN if it is not a time: it is then neither less nor greater than another bound. */
function low({ from }: Bounds, kind: ValueKind): number {
  return from === null ? -Infinity : (readValue(from, kind)?.at ?? NaN)
}

function high({ to }: Bounds, kind: ValueKind): number {
  return to === null ? Infinity : (readValue(to, kind)?.at ?? NaN)
}
