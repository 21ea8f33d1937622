/** Creates indexes and constraints of completely copied tables. */
import { tableText } from '../../../model/copy/column-type.ts'
import { signatureOf, type SchemaObject } from '../../../model/copy/schema-object.ts'
import { asSluiceError, SluiceError } from '../../../shared/errors.ts'
import type { LedgerDatabase } from '../../../model/run/ledger-port.ts'
import type { TableContext } from '../table/context.ts'
import type { RunOwner } from '../ledger/owner.ts'
import { ObjectLedger, type ObjectRow } from '../ledger/objects.ts'
import { withRetries } from '../workers/retries.ts'
import type { PlannedCopy } from '../plan/plan-copy.ts'
import type { CopyContext } from '../table/copy-context.ts'
import type { TableRun } from '../table/table-run.ts'
import type { ObjectWork } from './object-work.ts'
import { satisfies, type ObjectPlans, type PlannedObject } from './plan-objects.ts'
import { BuildLimit } from './build-limit.ts'

export type Built = {
  /** Objects that could not be created. */
  readonly errors: readonly SluiceError[]
  /** Number of objects not started because the run was asked to stop. */
  readonly left: number
}

/** @param workers limit of objects built at the same time; the target's own limit applies too */
export function objectWork(
  plans: ObjectPlans,
  { from, to }: PlannedCopy,
  database: LedgerDatabase,
  owner: RunOwner,
  workers: number,
): { readonly objects?: ObjectWork } {
  if (plans.size === 0) return {}
  const limit = new BuildLimit(Math.max(1, Math.min(workers, to.can.writers)))
  const ledger = new ObjectLedger(database, owner)
  return { objects: { plans, limit, ledger, sharesDatabase: from.identity === to.identity } }
}

const NOTHING: Built = { errors: [], left: 0 }

/** Builds all objects of a table except foreign keys. */
export async function buildOwnObjects(context: TableContext, copyContext: CopyContext): Promise<Built> {
  return buildObjects(context, copyContext, ({ kind }) => kind !== 'foreign key')
}

/** Builds foreign keys between tables that are both copied completely. */
export async function buildForeignKeys(
  tables: readonly TableRun[],
  copyContext: CopyContext,
): Promise<ReadonlyMap<TableRun, Built>> {
  const whole = new Set<string>()
  for (const { context, ended } of tables) {
    if (context === null || ended === undefined || ended.unbuilt > 0) continue
    // A failed index does not make the rows incomplete.
    if (ended.error !== null && ended.error.code !== 'OBJECTS_FAILED') continue
    if (ended.tally.proved + ended.tally.earlier === ended.tally.chunks) whole.add(tableText(context.plan.target.table))
  }
  const built = new Map<TableRun, Built>()
  for (const table of tables) {
    const { context } = table
    if (context === null || !whole.has(tableText(context.plan.target.table))) continue
    for (const one of copyContext.objects?.plans.get(context.name) ?? []) {
      if (one.status !== 'build' || one.object.kind !== 'foreign key' || isKeyBetween(one.object, whole)) continue
      const message = `the foreign key ${one.name} waits until all rows of ${tableText(one.object.to.table)} are copied`
      context.emit({ type: 'log', level: 'note', table: context.name, message })
    }
    built.set(table, await buildObjects(context, copyContext, (object) => isKeyBetween(object, whole)))
  }
  return built
}

function isKeyBetween(object: SchemaObject, whole: ReadonlySet<string>): boolean {
  return object.kind === 'foreign key' && whole.has(tableText(object.to.table))
}

/** The parts of a table's context that building needs. */
type BuildContext = Pick<TableContext, 'name' | 'key' | 'plan' | 'store' | 'signal' | 'emit'>

/**
 * Builds the objects of a table's plan that do not exist, and for which `fits` returns true. A default that
 * differs since a copy has set it is left as it is, because a user has changed it.
 */
export async function buildObjects(
  context: BuildContext,
  copyContext: Pick<CopyContext, 'objects' | 'steering' | 'run'>,
  fits: (object: SchemaObject) => boolean,
): Promise<Built> {
  const { objects, steering } = copyContext
  if (objects === undefined) return NOTHING
  const plan = objects.plans.get(context.name) ?? []
  await objects.ledger.recordBuilt(context.key, existingObjects(plan))
  const lacking = plan.flatMap((one) => (one.status === 'build' && fits(one.object) ? [one] : []))
  const changed = await changedDefaults(lacking, context, objects.ledger)
  const wanted = lacking.map(({ object }) => object).filter((object) => !changed.has(object))
  if (wanted.length === 0) return NOTHING
  const errors: SluiceError[] = []
  let left = 0
  // With `inUse`, a build waits for all transactions of the database: if the source is in the same database, it would
  // wait for this copy itself.
  const inUse = !objects.sharesDatabase && !(await objects.ledger.isOurs(context.key))
  const build = (object: SchemaObject): Promise<void> =>
    objects.limit.take(async () => {
      if (steering.stop.aborted) left++
      else {
        const error = await buildOne(object, context, copyContext, objects.ledger, inUse)
        if (error !== null) errors.push(error)
      }
    })
  // Constraints lock the table exclusively, indexes do not.
  await Promise.all(wanted.filter(({ kind }) => kind === 'index').map(build))
  await Promise.all(wanted.filter(({ kind }) => kind !== 'index').map(build))
  return { errors, left }
}

function existingObjects(plan: readonly PlannedObject[]): readonly ObjectRow[] {
  return plan.flatMap((one) => (one.status === 'there' ? [one.object] : []))
}

/** Defaults that differ in the target since a copy has set them. Names each in a note. */
async function changedDefaults(
  lacking: readonly (PlannedObject & { readonly status: 'build' })[],
  { name: table, key, emit }: BuildContext,
  ledger: ObjectLedger,
): Promise<ReadonlySet<SchemaObject>> {
  const others = lacking.filter(({ replaces }) => replaces !== undefined)
  if (others.length === 0) return new Set()
  const built = await ledger.builtDefaults(key)
  const changed = others.filter(({ object }) => built.has(object.name))
  for (const { object, replaces } of changed) {
    const message = `the default of ${object.name} differs from the source's and stays as it is in the target: ${replaces}`
    emit({ type: 'log', level: 'note', table, message })
  }
  return new Set(changed.map(({ object }) => object))
}

/** Returns one error for all objects that a table lacks. @param errors at least one */
export function objectsError(table: string, errors: readonly SluiceError[]): SluiceError {
  const [first] = errors
  const what = errors.length === 1 ? 'an index or a constraint' : `${errors.length} indexes or constraints`
  return new SluiceError(
    'OBJECTS_FAILED',
    `${what} of ${table} could not be created; the rows of the table are in the target`,
    {
      ...(first === undefined ? {} : { reason: first.message }),
      hint: 'correct the cause, then run the same command again: it does only what is not done',
    },
  )
}

/** @returns the error if the object could not be created; null if it exists */
async function buildOne(
  object: SchemaObject,
  context: BuildContext,
  { run, steering }: Pick<CopyContext, 'run' | 'steering'>,
  ledger: ObjectLedger,
  inUse: boolean,
): Promise<SluiceError | null> {
  const { name: table, plan, key, store, signal, emit } = context
  const { name, kind } = object
  const builder = store.objects()
  const begun = run.clock.ticks()
  const isThere = async (): Promise<boolean> => {
    const signature = signatureOf(object).toLowerCase()
    const [there = []] = await builder.list([plan.target], signal)
    return there.some((one) => satisfies(one, object) && signatureOf(one).toLowerCase() === signature)
  }
  let isReported = false
  try {
    await withRetries(
      async () => {
        // Another process, or a statement left running by a dead owner, may have created the object.
        if (await isThere()) return await ledger.recordBuilt(key, [object])
        if (!isReported) emit({ type: 'index.started', table, name, kind })
        isReported = true
        await ledger.begin(key, object)
        try {
          await builder.build(object, plan.target, inUse, signal)
        } catch (error) {
          if (!(await isThere())) throw error
        }
        if (!(await isThere())) {
          throw new SluiceError('OBJECTS_FAILED', `${name} was created, but its definition is not the planned one`, {
            where: tableText(plan.target.table),
            reason: 'the target prints the definition differently, or another object has its name',
            hint: 'compare both definitions; if another object has this name, rename or drop it, then run the same command again',
          })
        }
        await ledger.end(key, object, null)
      },
      context,
      steering.stop,
    )
    if (isReported) emit({ type: 'index.done', table, name, kind, ms: Math.round(run.clock.ticks() - begun) })
    return null
  } catch (thrown) {
    const error = asSluiceError(thrown)
    if (error.kind === 'stopped' || error.code === 'INTERNAL') throw thrown
    await ledger.end(key, object, error.message).catch(() => undefined)
    emit({ type: 'index.failed', table, name, kind, error: error.info() })
    return error
  }
}
