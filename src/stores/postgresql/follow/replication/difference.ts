/** Compares a followed table with its noted shape: same, changed without loss of rows, or rows may be missing. */
import type { PartitionNote } from './partition-notes.ts'
import type { ColumnShape, Node, SeenShape, ReplicatedShape } from './shapes.ts'

/** Facts from the database, for cases that two shapes alone do not decide. */
export type DatabaseFacts = {
  /** Whether a new partition holds rows, by its OID; `unclear` if the partition cannot be inspected now. */
  readonly rows: ReadonlyMap<string, 'none' | 'some' | 'unclear'>
  /** Transactions for which the stream has reported a TRUNCATE of the table. */
  readonly truncatedBy: ReadonlySet<number>
  /** Partitions that no inspection had found when the stream reported their rows: name by OID. */
  readonly reported: ReadonlyMap<string, string>
  /** True if the stream reported everything committed before these files (each as `oid file`) were first seen. */
  readonly caughtUp: (files: readonly string[]) => boolean
  /** Notes of `partition ensure` about partitions that it attached. */
  readonly notes: readonly PartitionNote[]
}

/** `unclear`: inspect the table again later. */
export type ShapeDifference =
  | { readonly type: 'same' | 'unclear' }
  | { readonly type: 'moved'; readonly shape: ReplicatedShape }
  | { readonly type: 'halted'; readonly reason: string }

/** @param asked followed columns, and columns that the target computes as the source does */
export function shapeDifference(
  before: ReplicatedShape,
  { shape, bornInside, changedBy }: SeenShape,
  asked: readonly string[],
  beyond: DatabaseFacts,
): ShapeDifference {
  const reason =
    ofTable(before, shape) ??
    ofColumns(before, shape, asked) ??
    ofTypes(before, shape) ??
    ofPartitions(before, shape, bornInside, beyond)
  if (reason !== null) return { type: 'halted', reason }
  const files = ofFiles(before, shape, changedBy, beyond)
  if (files !== null) return files
  if (unreportedNodes(before, shape, bornInside, beyond.notes).some(({ oid }) => beyond.rows.get(oid) === 'unclear')) {
    return { type: 'unclear' }
  }
  const noted = withDropped(before, shape)
  return JSON.stringify(before) === JSON.stringify(noted) ? { type: 'same' } : { type: 'moved', shape: noted }
}

/** The current shape, and columns that were dropped since the stream began, each in its place. */
function withDropped(before: ReplicatedShape, now: ReplicatedShape): ReplicatedShape {
  const places = new Set(now.columns.map(({ place }) => place))
  const dropped = before.columns.filter(({ place }) => !places.has(place))
  if (dropped.length === 0) return now
  const columns = [...now.columns, ...dropped.map((column): ColumnShape => ({ ...column, dropped: true }))]
  return { ...now, columns: columns.toSorted((a, b) => Number(a.place) - Number(b.place)) }
}

/** New partitions that may contain rows that the stream has not reported. */
export function unreportedNodes(
  before: ReplicatedShape,
  now: ReplicatedShape,
  bornInside: SeenShape['bornInside'],
  notes: readonly PartitionNote[],
): readonly Node[] {
  const nodes = new Map(now.nodes.map((node) => [node.oid, node]))
  const known = new Set(before.nodes.map(({ oid }) => oid))
  const { added } = notedPartitions(before, notes)
  // A partition that was created as a partition got its rows through its parent: if the parent's rows are reported, its
  // rows are too.
  const reported = ({ oid, parent, attached }: Node): boolean => {
    if (known.has(oid) || added.get(oid) === attached) return true
    const above = parent === null ? undefined : nodes.get(parent)
    return bornInside.has(oid) && above !== undefined && reported(above)
  }
  return now.nodes.filter((node) => !reported(node))
}

/**
 * Partitions according to the notes. `gone`: partitions that were detached, because partitions of a note contain their
 * rows now. `added`: partitions that were attached, each with the transaction that attached it.
 */
function notedPartitions(
  { nodes: [root, ...nodes] }: ReplicatedShape,
  notes: readonly PartitionNote[],
): { readonly gone: ReadonlySet<string>; readonly added: ReadonlyMap<string, string> } {
  const known = new Set(nodes.map(({ oid }) => oid))
  const gone = new Set<string>()
  const added = new Map<string, string>()
  for (const { table, from, to } of notes) {
    if (table !== root?.oid || (from !== null && !known.has(from) && !added.has(from))) continue
    if (from !== null) {
      gone.add(from)
      added.delete(from)
    }
    for (const [oid, attached] of Object.entries(to)) added.set(oid, attached)
  }
  return { gone, added }
}

function addedNodes(before: ReplicatedShape, { nodes }: ReplicatedShape): readonly Node[] {
  const known = new Set(before.nodes.map(({ oid }) => oid))
  return nodes.filter(({ oid }) => !known.has(oid))
}

function ofTable({ nodes: [was] }: ReplicatedShape, { nodes: [is] }: ReplicatedShape): string | null {
  if (was === undefined || is === undefined) return 'it is gone'
  if (was.name !== is.name) return `it was renamed to ${is.name}`
  if (was.kind !== is.kind) return 'its kind of table has changed'
  return ofNode(was, is)
}

/** Compares the table or one of its partitions. */
function ofNode(was: Node, is: Node): string | null {
  if (was.stored !== is.stored) return is.stored === 'u' ? 'it is unlogged now' : 'it was unlogged, and is logged now'
  return JSON.stringify(was.identity) === JSON.stringify(is.identity) ? null : 'its replica identity has changed'
}

function ofColumns(before: ReplicatedShape, now: ReplicatedShape, asked: readonly string[]): string | null {
  const followed = new Set(asked)
  const places = new Map(now.columns.map((column) => [column.place, column]))
  for (const was of before.columns) {
    if (was.dropped === true || !followed.has(was.name)) continue
    const changed = ofColumn(was, places.get(was.place))
    if (changed !== null) return changed
    // The stream does not report values that ALTER TABLE computes again, even if USING keeps the type of the column.
    if (hasNewFile(before, now) && was.changed !== places.get(was.place)?.changed) {
      return `ALTER TABLE has rewritten its rows, perhaps column ${was.name}`
    }
  }
  const known = new Set(before.columns.map(({ place }) => place))
  const added = now.columns.find(({ place }) => !known.has(place))
  return added === undefined ? null : `column ${added.name} (${added.native}) was added`
}

function ofColumn(was: ColumnShape, is: ColumnShape | undefined): string | null {
  if (is === undefined) return `column ${was.name} was dropped`
  if (is.name !== was.name) return `column ${was.name} was renamed to ${is.name}`
  if (is.type !== was.type) return `column ${was.name} was ${was.native} and is ${is.native}`
  if (is.generated !== was.generated) return `column ${was.name} is generated differently`
  // Shapes noted by older programs have no expressions.
  if (was.expression === undefined || was.expression === is.expression) return null
  return `column ${was.name} was computed from ${was.expression} and is computed from ${is.expression ?? 'nothing'}`
}

/** True if a table without partitions has another file. For a partitioned table `ofFiles` halts on every new file. */
function hasNewFile({ nodes: [was] }: ReplicatedShape, { nodes: [is] }: ReplicatedShape): boolean {
  return was?.file !== is?.file
}

/** Smallest OID of user objects; a table or type has fewer columns than this. */
const FIRST_OWN_OID = 16_384

function ofTypes(before: ReplicatedShape, now: ReplicatedShape): string | null {
  for (const [type, parts] of Object.entries(before.types)) {
    const is = now.types[type]
    // The type was dropped with the last column that had it.
    if (is === undefined) continue
    const lost = parts.find((part) => !is.includes(part))
    if (lost === undefined) continue
    // A part is OID and label (enum), or attribute number, type and modifier (composite type).
    const at = Number(lost.split(' ', 1)[0])
    const label = lost.slice(lost.indexOf(' ') + 1)
    const isField = at < FIRST_OWN_OID && /^\d+ -?\d+$/.test(label)
    if (!isField) return `a type of its columns was changed (${label})`
    const column = before.columns.find((one) => one.type.startsWith(`${type} `))
    return column === undefined
      ? 'a composite type within its columns has other fields'
      : `the type ${column.native} of column ${column.name} has other fields`
  }
  return null
}

function ofPartitions(
  before: ReplicatedShape,
  now: ReplicatedShape,
  bornInside: ReadonlySet<string>,
  { rows, reported, notes }: DatabaseFacts,
): string | null {
  const { gone, added: noted } = notedPartitions(before, notes)
  const nodes = new Map(now.nodes.map((node) => [node.oid, node]))
  for (const was of before.nodes.slice(1)) {
    const is = nodes.get(was.oid)
    if (is === undefined && gone.has(was.oid)) continue
    if (is === undefined) return `partition ${was.name} was detached or dropped`
    if (is.bounds !== was.bounds || is.parent !== was.parent) return `partition ${was.name} has other bounds`
    if (is.attached !== was.attached) return `partition ${was.name} was detached and attached again`
    const changed = ofNode(was, is)
    if (changed !== null) return `partition ${was.name}: ${changed}`
  }
  if ([...noted.keys()].some((oid) => !nodes.has(oid)))
    return 'a partition that was attached later was detached or dropped'
  const passed = [...reported].find(([oid]) => !nodes.has(oid) && !gone.has(oid))
  if (passed !== undefined) return `partition ${passed[1]} was detached or dropped`
  const [root] = now.nodes
  for (const added of addedNodes(before, now)) {
    if (added.kind === 'f') return `foreign table ${added.name} was attached`
    if (added.stored !== 'p') return `partition ${added.name} is unlogged`
    if (JSON.stringify(added.identity) !== JSON.stringify(root?.identity)) {
      return `partition ${added.name} has another replica identity`
    }
  }
  const filled = unreportedNodes(before, now, bornInside, notes).find(({ oid }) => rows.get(oid) === 'some')
  return filled === undefined ? null : `partition ${filled.name} was attached with rows`
}

/** pg_class.relfilenode of a partition without rows of its own. */
const NO_FILE = '0'

/**
 * A TRUNCATE of a single partition is not reported for its root, but gives the partition another file. VACUUM FULL does
 * so too, and cannot be distinguished from TRUNCATE.
 */
function ofFiles(
  before: ReplicatedShape,
  now: ReplicatedShape,
  changedBy: ReadonlyMap<string, number>,
  { truncatedBy, caughtUp }: DatabaseFacts,
): ShapeDifference | null {
  const files = new Map(before.nodes.map(({ oid, file }) => [oid, file]))
  // The first file of a partition has the number of its OID. If the transaction of ATTACH was the last to write the row
  // in pg_class, the file was replaced before the partition was attached: then the table lost no row.
  const isReplaced = ({ oid, file, attached }: Node): boolean =>
    files.has(oid)
      ? file !== files.get(oid)
      : file !== NO_FILE && file !== oid && changedBy.get(oid) !== Number(attached)
  const replaced = now.nodes
    .slice(1)
    .filter((node) => isReplaced(node) && !truncatedBy.has(changedBy.get(node.oid) ?? 0))
  if (replaced.length === 0) return null
  if (!caughtUp(replaced.map(({ oid, file }) => `${oid} ${file}`))) return { type: 'unclear' }
  const more = replaced.length === 1 ? '' : ` and ${replaced.length - 1} more`
  return {
    type: 'halted',
    reason: `TRUNCATE, VACUUM FULL or CLUSTER of partition ${replaced[0]?.name}${more}, or ALTER TABLE, has replaced its rows`,
  }
}
