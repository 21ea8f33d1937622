/** Dependencies of the source that the target neither has nor gets. They are not part of a plan's hash. */
import { tableText, type Column } from '../../../model/copy/column-type.ts'
import { dependencyOf, type LeftBehind, type FoundDependency, type LeftKind } from '../../../model/copy/dependencies.ts'
import type { TablePlan } from '../../../model/copy/plan.ts'
import type { DependencyScope } from '../../../model/copy/dependency-port.ts'
import type { CopyStore } from '../../../model/copy/port.ts'
import type { StoreAbilities } from '../../../model/copy/abilities.ts'
import { onSide } from '../sides.ts'
import type { ObjectPlans, PlannedObject } from '../objects/plan-objects.ts'
import type { PlannedCopy } from './plan-copy.ts'
import { plannedLosses } from './row-losses.ts'

type Numbering = Pick<StoreAbilities, 'numbering'>

/**
 * @param all a pattern with `*` was given: also report objects that belong to no table of the copy
 * @param objects that the copy creates
 */
export async function planLeftBehind(
  { from, to, tables, leftOut }: PlannedCopy,
  all: boolean,
  objects: ObjectPlans,
  signal: AbortSignal,
): Promise<readonly LeftBehind[]> {
  const plans = tables.flatMap(({ plan }) => (plan === null ? [] : [plan]))
  // Also of refused tables: other tables of their schemas, and not these tables, are outside of the copy.
  const sources = await onSide('source', () =>
    factsOf(from, { tables: tables.map(({ source }) => source.table), all, children: true }, signal),
  )
  const targets = await onSide('target', () =>
    factsOf(to, { tables: plans.map(({ target }) => target.table), all: false }, signal),
  )
  const carried = await onSide('target', () => carriedCollations(to, plans, signal))
  const sameWords = from.objects().words === to.objects().words
  const found: LeftBehind[] = []
  for (const plan of plans) {
    const name = tableText(plan.source.table)
    const there = targets.filter(({ table }) => table === tableText(plan.target.table))
    for (const entry of sources.filter(({ table }) => table === name)) {
      const unbuilt = withoutBuilt(entry, objects.get(name) ?? [])
      const rest = unbuilt === null ? null : withoutCarried(unbuilt, plan, there, carried)
      // Report STRICT and WITHOUT ROWID only within one system: other systems always enforce types, and have no rowid.
      const means = sameWords || (entry.kind !== 'strict' && entry.kind !== 'without rowid')
      const isSwitchable = to.offers.switches !== undefined && from.identity === to.identity
      if (rest !== null && means) found.push(isSwitchable ? withinDatabase(rest) : rest)
    }
    found.push(...plannedLosses(plan), ...generatedOf(plan), ...lostSequences(plan, to.can, sameWords))
  }
  found.push(...sources.filter(({ table }) => table === undefined))
  if (leftOut.length > 0) found.push(dependencyOf('name of the ledger', leftOut.map(tableText)))
  return found
}

/** True if the target generates numbers for this column, as far as a plan shows. */
function isNumbered({ target, create }: TablePlan, column: string, { numbering }: Numbering): boolean {
  if (numbering === undefined || !create) return true
  return target.key[0] === column && (numbering === 'first of key' || target.key.length === 1)
}

/**
 * Columns whose sequences the target cannot have, or only with other properties.
 * @param sameSystem true if both sides keep sequences in the same way
 */
function lostSequences(plan: TablePlan, can: Numbering, sameSystem: boolean): readonly LeftBehind[] {
  const found = new Map<LeftKind, string[]>()
  for (const { from, to, source, target } of plan.columns) {
    const kind = lostSequence(source, target, isNumbered(plan, to, can), can.numbering !== undefined && !sameSystem)
    if (kind !== null) found.set(kind, [...(found.get(kind) ?? []), from])
  }
  return [...found].map(([kind, names]) => dependencyOf(kind, names, tableText(plan.source.table)))
}

/**
 * Kind of the loss, if the target column cannot have the source column's sequence unchanged; null if nothing is lost.
 * @param isOwn true if the target generates numbers for the column
 * @param plain true if the target numbers rows without a sequence
 */
function lostSequence({ sequence }: Column, target: Column, isOwn: boolean, plain: boolean): LeftKind | null {
  if (sequence === undefined) return null
  if (target.sequence === undefined || !isOwn) return 'sequence'
  if (!plain) return null
  if (sequence.named !== undefined) return 'shared sequence'
  return sequence.options?.cycle === true ? 'cyclic sequence' : null
}

/** The dependency, described for two tables in one database: a cutover between them recreates views and triggers. */
function withinDatabase(entry: LeftBehind): LeftBehind {
  if (entry.kind !== 'view' && entry.kind !== 'trigger') return entry
  const on = entry.kind === 'view' ? 'it reads' : 'it belongs to'
  return { ...entry, means: `${on} the table of the source; a cutover recreates it for the new one` }
}

async function factsOf(
  store: CopyStore,
  scope: DependencyScope,
  signal: AbortSignal,
): Promise<readonly FoundDependency[]> {
  return await store.dependencies().notCopied(scope, signal)
}

/**
 * Removes from the entry each name that the target already has or will get.
 * @param existing dependencies of the target's table
 * @returns null if no name is left
 */
function withoutCarried(
  { definitions, ...entry }: FoundDependency,
  plan: TablePlan,
  existing: readonly FoundDependency[],
  carried: HasCollation,
): LeftBehind | null {
  const { kind, names } = entry
  const same = existing.filter((one) => one.kind === kind)
  if (names.length === 0) {
    if (kind === 'strict' || kind === 'without rowid') {
      const option = OPTIONS[kind]
      if (plan.target.options?.includes(option) === true) return null
    }
    return same.length > 0 ? null : entry
  }
  const has = new Set(same.flatMap((one) => one.names))
  const defined = new Set(same.flatMap((one) => [...(one.definitions?.values() ?? [])]))
  const isThere = (name: string): boolean => {
    const definition = definitions?.get(name)
    // A definition contains the source's column names, so it is compared only if no column is renamed.
    if (definition === undefined || plan.columns.some(({ from, to }) => from !== to))
      return has.has(targetName(name, plan))
    return defined.has(definition)
  }
  const left = names.filter((name) => !isThere(name) && !isCarried(kind, name, plan, carried))
  return left.length === 0 ? null : { ...entry, names: left }
}

/** A column takes the time of each update as part of its default. */
function withoutBuilt(entry: FoundDependency, objects: readonly PlannedObject[]): FoundDependency | null {
  if (entry.kind !== 'update time') return entry
  const isBuilt = (column: string): boolean =>
    objects.some(({ kind, name, status }) => kind === 'default' && name === column && status === 'build')
  const names = entry.names.filter((column) => !isBuilt(column))
  return names.length === 0 ? null : { ...entry, names }
}

const OPTIONS = { strict: 'STRICT', 'without rowid': 'WITHOUT ROWID' } as const

/** True if a created table can have this collation of the source. */
type HasCollation = (collation: string) => boolean

async function carriedCollations(
  to: CopyStore,
  plans: readonly TablePlan[],
  signal: AbortSignal,
): Promise<HasCollation> {
  const dependencies = to.dependencies()
  if (dependencies.collations === undefined) return () => true
  const wanted = plans.flatMap(({ create, columns }) =>
    create ? columns.flatMap(({ target }) => target.collation ?? []) : [],
  )
  const there = wanted.length === 0 ? new Set() : await dependencies.collations([...new Set(wanted)], signal)
  return (collation) => there.has(collation)
}

/** True if a created table has the collation of the source's column `name`, or if the column is not copied. */
function isCarried(
  kind: LeftBehind['kind'],
  name: string,
  { columns, create }: TablePlan,
  carried: HasCollation,
): boolean {
  if (kind !== 'collation' && kind !== 'blank collation') return false
  const column = columns.find(({ from }) => from === name)
  // Nothing is reported for a column that is not copied.
  if (column === undefined) return true
  const { source, target } = column
  if (!create || source.native !== target.native || source.collation !== target.collation) return false
  return target.collation === undefined || carried(target.collation)
}

function targetName(name: string, { columns, checked = [] }: TablePlan): string {
  return [...columns, ...checked].find(({ from }) => from === name)?.to ?? name
}

function generatedOf(plan: TablePlan): readonly LeftBehind[] {
  const { source, target, columns, checked = [] } = plan
  const generated = source.columns.filter(
    (one) => one.generated === true && !columns.some(({ from }) => from === one.name),
  )
  const isThere = ({ name }: Column): boolean =>
    target.columns.some((one) => one.generated === true && one.name === targetName(name, plan))
  const lost = generated.filter((one) => !isThere(one))
  const uncompared = generated.filter((one) => isThere(one) && !checked.some(({ from }) => from === one.name))
  const entry = (some: readonly Column[], means?: string): readonly LeftBehind[] => {
    const names = some.map(({ name }) => name)
    return names.length === 0 ? [] : [dependencyOf('generated column', names, tableText(source.table), means)]
  }
  return [...entry(lost), ...entry(uncompared, 'not compared: the target computes it itself')]
}

/** Losses that the options of a copy cause: source columns that are left out, and columns with an accepted loss. */
export function chosenLosses({ source, columns }: TablePlan): readonly LeftBehind[] {
  const table = tableText(source.table)
  const names = source.columns.flatMap(({ name, generated }) =>
    generated === true || columns.some(({ from }) => from === name) ? [] : [name],
  )
  return [
    ...(names.length === 0 ? [] : [dependencyOf('column', names, table)]),
    ...columns.flatMap(({ from, lossy }) =>
      lossy === undefined
        ? []
        : [
            dependencyOf(
              'accepted loss',
              [from],
              table,
              `${lossy}; compared after conversion to the type of the target`,
            ),
          ],
    ),
  ]
}

/** Entries of one table, for the table's line in the plan and in its result. */
export function leftOfTable(entries: readonly LeftBehind[], table: string): readonly LeftBehind[] {
  return entries.filter((entry) => entry.table === table)
}
