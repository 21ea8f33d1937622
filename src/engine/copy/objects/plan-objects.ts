/** Plans the indexes, constraints and defaults of a copy: which it creates, which exist, and which it leaves out. */
import { tableText, type TableName, type TableSpec } from '../../../model/copy/column-type.ts'
import type { TablePlan } from '../../../model/copy/plan.ts'
import {
  signatureOf,
  objectOptions,
  type ForeignKey,
  type ObjectOptions,
  type SchemaObject,
} from '../../../model/copy/schema-object.ts'
import type { CopyStore } from '../../../model/copy/port.ts'
import { onSide } from '../sides.ts'
import type { PlannedCopy } from '../plan/plan-copy.ts'
import { namesInTarget } from '../plan/target-name.ts'
import { ORDERED, translateObject, type TranslationContext } from './translate.ts'

export type PlannedObject = {
  /** Name of the object in the source. */
  readonly name: string
  readonly kind: SchemaObject['kind']
  /**
   * Additional columns of an existing unique key in the target. They are in the target's primary key, but not in the
   * source's.
   */
  readonly widenedBy?: readonly string[]
} & (
  | {
      readonly status: 'build'
      readonly object: SchemaObject
      readonly note?: string
      /** The other default that the column has in the target. */
      readonly replaces?: string
    }
  /** The object as it is in the target, with its name in the target. */
  | {
      readonly status: 'there'
      readonly object: SchemaObject
      /** Clause of the source that the target's constraint lacks, such as `DEFERRABLE`. */
      readonly lost?: string
    }
  /**
   * `later`: statement that creates it when the stream has ended. `unknown`: it is not translated, so that the target
   * cannot be searched for one that the user has created by hand.
   */
  | { readonly status: 'left'; readonly reason: string; readonly later?: string; readonly unknown?: true }
)

/** Plans by the name of the source's table. */
export type ObjectPlans = ReadonlyMap<string, readonly PlannedObject[]>

/** Plans of the requested kinds of objects, and of all others. No table has requested ones if no kind is requested. */
export type SplitPlans = { readonly requested: ObjectPlans; readonly others: ObjectPlans }

/** Objects of a planned table on both sides. @property plan of the table */
export type TableObjects = {
  readonly plan: TablePlan
  readonly inSource: readonly SchemaObject[]
  readonly inTarget: readonly SchemaObject[]
}

/**
 * @param always false: the target is not read if the source has nothing that a copy creates
 * @returns objects by the name of the source's table
 */
export async function listObjects(
  { from, to, tables }: PlannedCopy,
  always: boolean,
  signal: AbortSignal,
): Promise<ReadonlyMap<string, TableObjects>> {
  const plans = tables.flatMap(({ plan }) => (plan === null ? [] : [plan]))
  const [sources, targets] = [plans.map(({ source }) => source), plans.map(({ target }) => target)]
  const inSource = await onSide('source', () => from.objects().list(sources, signal))
  const isRead = always || !inSource.flat().every(isPrimary)
  const inTarget = isRead ? await onSide('target', () => to.objects().list(targets, signal)) : []
  return new Map(
    plans.map((plan, i) => [
      tableText(plan.source.table),
      { plan, inSource: inSource[i] ?? [], inTarget: inTarget[i] ?? [] },
    ]),
  )
}

/** @param options requested kinds; only for objects of these kinds are free names searched */
export async function planObjects(
  planned: PlannedCopy,
  options: readonly ObjectOptions[],
  signal: AbortSignal,
): Promise<SplitPlans> {
  return await planListed(planned, await listObjects(planned, false, signal), options, signal)
}

/** `planObjects` for objects that are listed already. */
export async function planListed(
  { from, to }: PlannedCopy,
  listed: ReadonlyMap<string, TableObjects>,
  options: readonly ObjectOptions[],
  signal: AbortSignal,
): Promise<SplitPlans> {
  const plans = new Map([...listed].map(([name, { plan }]) => [name, plan]))
  const tables = [...plans.values()].map(({ target }) => target.table)
  const names = new Names(to, tables, signal)
  const sameWords = from.objects().words === to.objects().words
  const requested = new Map<string, readonly PlannedObject[]>()
  const others = new Map<string, readonly PlannedObject[]>()
  for (const [name, { plan, inSource: all, inTarget: there }] of listed) {
    const elsewhere = (table: TableName): TableName => placeElsewhere(table, plan, { from, to })
    const passage: TranslationContext = { plan, plans, elsewhere, sameWords, from: from.objects().words }
    const wanted = all.filter((object) => !isPrimary(object) && !isNumbered(object, plan))
    const isRequested = (object: SchemaObject): boolean => options.includes(objectOptions(object))
    const context = { to, names, primary: all.find(isPrimary) }
    if (options.length > 0)
      requested.set(name, await planTableObjects(wanted.filter(isRequested), there, passage, context))
    // Planned by themselves: a requested object does not stand for an equal one that is not created.
    const left = wanted.filter((object) => !isRequested(object))
    others.set(name, await planTableObjects(left, there, passage, { ...context, names: null }))
  }
  return { requested, others }
}

/**
 * Leaves out foreign keys that fire in sessions that apply changes. Such a session replaces a row by deleting it and
 * writing it again, and the deletion would fire the foreign key.
 * @param checksKeys returns true if foreign keys fire in these sessions
 */
export async function withoutFiringKeys(
  { to, tables }: PlannedCopy,
  plans: ObjectPlans,
  checksKeys: () => Promise<boolean>,
): Promise<ObjectPlans> {
  if (![...plans.values()].flat().some(isNewKey) || !(await checksKeys())) return plans
  const found = new Map(plans)
  for (const { source, plan } of tables) {
    const name = tableText(source.table)
    const objects = plans.get(name)
    if (plan === null || objects === undefined) continue
    const left = objects.map((one): PlannedObject => {
      if (!isNewKey(one)) return one
      const later = to.objects().foreignKeySql?.(one.object, plan.target) ?? ''
      const reason = `changes of the stream would fire it; when the stream has ended: ${later}`
      return { name: one.name, kind: one.kind, status: 'left', reason, later }
    })
    found.set(name, left)
  }
  return found
}

function isNewKey(
  one: PlannedObject,
): one is PlannedObject & { readonly status: 'build'; readonly object: ForeignKey } {
  return one.status === 'build' && one.object.kind === 'foreign key'
}

/** Context of the plan of one table's objects. */
type ObjectContext = {
  readonly to: CopyStore
  /** Null if nothing will be created. */
  readonly names: Names | null
  /** Primary key of the source table. */
  readonly primary: SchemaObject | undefined
}

async function planTableObjects(
  wanted: readonly SchemaObject[],
  there: readonly SchemaObject[],
  passage: TranslationContext,
  { to, names, primary }: ObjectContext,
): Promise<readonly PlannedObject[]> {
  const { plan } = passage
  const held = [...there, ...(plan.create ? keyOf(plan.target) : [])]
  const planned: PlannedObject[] = []
  for (const object of wanted) {
    const { name, kind } = object
    const { wanted: fitted, refused } = fittedFor(object, passage, to)
    const signature = fitted === undefined ? null : signatureOf(fitted)
    const same = held.filter((one) => signature !== null && equalKeys(signatureOf(one), signature, to))
    // The user may have created by hand what a copy cannot create.
    const whole = same.find((one) => fitted !== undefined && satisfies(one, fitted))
    if (whole !== undefined) {
      const deferral = deferralOf(object)
      const lost = deferral !== null && deferralOf(whole) === null ? { lost: deferral } : {}
      planned.push({ name, kind, status: 'there', object: whole, ...lost })
      continue
    }
    if (fitted === undefined || refused !== undefined) {
      const unknown = fitted === undefined ? ({ unknown: true } as const) : {}
      planned.push({ name, kind, status: 'left', reason: refused ?? '', ...unknown })
      continue
    }
    const widened = widenedBy(fitted, there, primary, plan)
    // An interrupted build has left this object: continue under its name.
    const [broken] = same
    const free =
      broken !== undefined ? broken.name : names === null ? fitted.name : await names.free(fitted, plan.target, there)
    if (free === null) {
      const reason = `the name ${fitted.name} is taken in the target`
      planned.push({ name, kind, status: 'left', reason, ...widened })
      continue
    }
    const final = { ...fitted, name: free }
    held.push(final)
    const other = there.find((one) => one.kind === 'default' && kind === 'default' && one.name === final.name)
    const replaces =
      other === undefined
        ? noteOf(object, final)
        : { replaces: other.own, note: `${other.own} stays if a copy has set it before` }
    planned.push({ name, kind, status: 'build', object: final, ...widened, ...replaces })
  }
  return planned
}

/**
 * The object as the target would list it, and why a copy cannot create it; without `wanted` if it is not translated.
 */
function fittedFor(
  object: SchemaObject,
  passage: TranslationContext,
  to: CopyStore,
): { readonly wanted?: SchemaObject; readonly refused?: string } {
  if (object.broken === true) return { refused: 'it is not valid in the source' }
  const translated = translateObject(object, passage)
  const [wanted, refused] = 'refused' in translated ? [translated.wanted, translated] : [translated, {}]
  if (wanted === undefined) return refused
  const adapted = to.objects().adapted(wanted, passage.plan.target)
  return 'refused' in adapted ? { wanted, ...adapted, ...refused } : { ...refused, wanted: adapted }
}

/**
 * Within one database, a foreign key to a table outside of the copy refers to the same table on both sides. Otherwise
 * the table is expected where a copy of it has its place: in the schema of the target table, or in that of its own
 * name.
 */
function placeElsewhere(
  table: TableName,
  { source, target }: TablePlan,
  { from, to }: Pick<PlannedCopy, 'from' | 'to'>,
): TableName {
  if (from.identity === to.identity) return table
  if (table.schema === source.table.schema) return { ...target.table, name: table.name }
  return namesInTarget({ name: table.name }, table, from, to)[0]
}

/**
 * The columns that an existing unique key of the target has in addition to the wanted key. A partitioned table accepts
 * a unique key only with its partition column, and its primary key has this column too.
 * @param primary the source's primary key
 */
function widenedBy(
  wanted: SchemaObject,
  there: readonly SchemaObject[],
  primary: SchemaObject | undefined,
  { columns }: TablePlan,
): Pick<PlannedObject, 'widenedBy'> {
  if ((wanted.kind !== 'index' && wanted.kind !== 'unique') || !wanted.unique) return {}
  const own = new Set(primary?.columns?.map((name) => columns.find(({ from }) => from === name)?.to ?? name))
  const added = there.find(isPrimary)?.columns?.filter((name) => !own.has(name)) ?? []
  const signature = signatureOf({ ...wanted, parts: [...wanted.parts, ...added.map((column) => ({ column }))] })
  const isThere =
    own.size > 0 && added.length > 0 && there.some((one) => one.broken !== true && signatureOf(one) === signature)
  return isThere ? { widenedBy: added } : {}
}

/** True if the existing object is valid and enforced as required; an incomplete index is not. */
export function satisfies(existing: SchemaObject, wanted: SchemaObject): boolean {
  if (existing.broken === true) return false
  if (existing.kind !== 'foreign key' || existing.unchecked !== true) return true
  return wanted.kind === 'foreign key' && wanted.unchecked === true
}

/** True for foreign keys and CHECK constraints, whose names have another namespace than the names of indexes. */
function isConstraint({ kind }: SchemaObject): boolean {
  return kind === 'foreign key' || kind === 'check'
}

/** True for a default that uses a sequence on both sides: it is created with its column. */
function isNumbered({ kind, name }: SchemaObject, { columns }: TablePlan): boolean {
  const column = columns.find(({ from }) => from === name)
  return kind === 'default' && column?.source.sequence !== undefined && column.target.sequence !== undefined
}

function isPrimary(object: SchemaObject): boolean {
  return (object.kind === 'index' || object.kind === 'unique') && object.primary === true
}

/** The key with which a new table is created, as one unique key for each ordered index method. */
function keyOf({ key, nullsEqual }: TableSpec): readonly SchemaObject[] {
  if (key.length === 0) return []
  const parts = key.map((column) => ({ column }))
  return [...ORDERED].map((method): SchemaObject => {
    const unique = {
      kind: 'unique',
      name: '',
      own: '',
      columns: key,
      unique: true,
      method,
      parts,
      include: [],
    } as const
    return nullsEqual === true ? { ...unique, nullsEqual } : unique
  })
}

/** True if two signatures are equal, ignoring case if the target ignores the case of column names. */
export function equalKeys(one: string, other: string, { can }: CopyStore): boolean {
  return can.folds?.columns === true ? one.toLowerCase() === other.toLowerCase() : one === other
}

/** The clause of a unique constraint that checks rows later; null if each row is checked as it is written. */
function deferralOf({ kind, own }: SchemaObject): string | null {
  return kind === 'unique' ? (/ (DEFERRABLE(?: INITIALLY DEFERRED)?)$/.exec(own)?.[1] ?? null) : null
}

/** Notes on differences to the source that a reader of the plan would not expect. */
function noteOf(before: SchemaObject, after: SchemaObject): { readonly note?: string } {
  const notes: string[] = []
  if (before.name !== after.name && after.kind !== 'default') notes.push(`is called ${after.name} in the target`)
  if ((before.kind === 'index' || before.kind === 'unique') && (after.kind === 'index' || after.kind === 'unique')) {
    const cut = after.parts.find(({ prefix }, i) => prefix !== undefined && before.parts[i]?.prefix === undefined)
    if (cut?.prefix !== undefined) notes.push(`holds the first ${cut.prefix} characters of ${cut.column ?? ''}`)
    if (before.kind === 'unique' && after.kind === 'index') notes.push('becomes a unique index')
    const deferral = deferralOf(before)
    if (deferral !== null && deferralOf(after) === null) notes.push(`is created without ${deferral}`)
    if (before.include.length > after.include.length) notes.push('is created without its INCLUDE columns')
  }
  return notes.length === 0 ? {} : { note: notes.join(', ') }
}

/** Names for objects of the target: the source's name, or that name with the table's name as prefix if it is taken. */
class Names {
  readonly #to: CopyStore
  readonly #signal: AbortSignal
  /** Names of this run's tables, and names given to its objects. */
  readonly #given = new Set<string>()

  /** @param tables of the run, whose names are reserved before they are created */
  constructor(to: CopyStore, tables: readonly TableName[], signal: AbortSignal) {
    for (const { schema, name } of tables) this.#given.add(placeOf(schema, name))
    this.#to = to
    this.#signal = signal
  }

  /** @returns null if no name is free, or if another object of the same table has this name */
  async free(object: SchemaObject, table: TableSpec, existing: readonly SchemaObject[]): Promise<string | null> {
    if (object.kind === 'default') return object.name
    const ofSameKind = existing.filter((one) => isConstraint(one) === isConstraint(object) && one.kind !== 'default')
    const own = new Set(ofSameKind.map(({ name }) => name.toLowerCase()))
    if (own.has(object.name.toLowerCase())) return null
    if (this.#to.objects().scope(object) === 'table') return object.name
    const longer = this.#to.objects().adapted({ ...object, name: `${table.table.name}_${object.name}` }, table)
    const names = [object.name, ...('refused' in longer ? [] : [longer.name])]
    const taken = await onSide('target', () => this.#to.objects().usedNames(table, names, this.#signal))
    for (const name of names) {
      const key = placeOf(table.table.schema, name)
      if (taken.has(name) || own.has(name.toLowerCase()) || this.#given.has(key)) continue
      this.#given.add(key)
      return name
    }
    return null
  }
}

function placeOf(schema: string | undefined, name: string): string {
  return JSON.stringify([schema, name.toLowerCase()])
}
