/** Facts of an operation from its declaration: stores, subject and destructive effects. */
import { redactUrl } from '../../shared/redact.ts'
import type { RowFormat } from '../../model/run/row-format.ts'
import type { Event } from '../../model/run/event.ts'
import type { Declaration, Destruction, NamedBy, StoreFamily } from '../../engine/run/operations/declaration.ts'
import type { CommandDeclaration } from '../../engine/run/operations/option.ts'
import { OPERATIONS, type Operation, type OperationKind } from './list.ts'
import { wordOptions, type ByHand, type OperationWords } from '../../engine/run/operations/words.ts'

/** A declaration of any operation. */
export type AnyDeclaration = Declaration<{ readonly kind: OperationKind } & Readonly<Record<string, unknown>>>

export type AnyDestruction = Destruction<Readonly<Record<string, unknown>>>

/** A store named in an operation. */
export type OperationStore = {
  readonly field: string
  /** A URL, a path, or the id of a table. URLs may contain passwords. */
  readonly name: string
  readonly family: StoreFamily
  readonly access: 'read' | 'write'
  /** False if this run only reads the store, although other operations of this kind write to it. */
  readonly changes: boolean
  readonly end?: 'source' | 'target'
}

const kinds = Object.keys(OPERATIONS) as OperationKind[]

export function declarationOf(kind: OperationKind): AnyDeclaration {
  return OPERATIONS[kind].declaration as AnyDeclaration
}

/** Mapping between the command line and the fields of an operation. */
type AnyWords = OperationWords<Readonly<Record<string, unknown>>>

/** An action of a command. If the action is parsed by hand, `words` is null, and `byHand` has the option names. */
export type CommandAction = {
  readonly name: string
  /** The flag that distinguishes the action from another one of the same name; null if it has no such flag. */
  readonly flag: string | null
  readonly kind: OperationKind
  readonly words: AnyWords | null
  readonly byHand: readonly string[]
}

/** The operation that declares a command. @throws Error if no operation declares the command */
export function declaringOperation(command: string): AnyDeclaration {
  const owner = kinds
    .map(declarationOf)
    .find((known) => typeof known.command !== 'string' && known.command.name === command)
  if (owner === undefined) throw new Error(`no operation declares ${command}`)
  return owner
}

/** Actions of a command, in the order of the list; empty for a command without actions. */
export function actionsOf(command: string): readonly CommandAction[] {
  return kinds.flatMap((kind) =>
    Object.entries(declarationOf(kind).actions ?? {}).flatMap(([key, words]) => {
      const [of, name = '', dashed] = key.split(' ')
      if (of !== command) return []
      const flag = dashed?.replace(/^--/, '') ?? null
      return [
        isByHand(words)
          ? { name, flag, kind, words: null, byHand: words.byHand }
          : { name, flag, kind, words, byHand: [] },
      ]
    }),
  )
}

/** Names of the options of an action. */
export function optionNamesOf({ words, byHand, flag }: CommandAction): ReadonlySet<string> {
  return new Set([
    ...(flag === null ? [] : [flag]),
    ...(words === null ? byHand : Object.values(words).flatMap(wordOptions)),
  ])
}

/** Every command that starts an operation, in the order of the list. */
export function commandsOfOperations(): readonly CommandDeclaration[] {
  return Object.values(OPERATIONS).flatMap(({ declaration: { command } }) =>
    typeof command === 'string' ? [] : [command],
  )
}

/** The name of the command that starts an operation. */
export function commandNameOf(kind: OperationKind): string {
  const { command } = declarationOf(kind)
  return typeof command === 'string' ? command : command.name
}

/** The declaration for `command` of an event; null if it is not an operation of the engine. */
export function declarationOfCommand(command: string): AnyDeclaration | null {
  return isKind(command) ? declarationOf(command) : null
}

/**
 * Default of a numeric option. With it, a frontend starts the same operation as the command without this option.
 * @throws Error for an option without a default number
 */
export function defaultNumber(kind: OperationKind, option: string): number {
  const value = defaultOf(kind, option)
  if (typeof value === 'number') return value
  throw new Error(`${kind} has no number by default for --${option}`)
}

/** Default text of an option. */
export function defaultText(kind: OperationKind, option: string): string {
  const value = defaultOf(kind, option)
  if (typeof value === 'string') return value
  throw new Error(`${kind} has no text by default for --${option}`)
}

/** Every store of the operation, in the order of its declaration. */
export function storesOf(operation: Operation): readonly OperationStore[] {
  return declarationOf(operation.kind).stores.flatMap((store) =>
    textsOf(operation, store.field).map((name) => ({ ...store, name, changes: changes(operation, store) })),
  )
}

function changes(operation: Operation, { access, changesWith }: AnyDeclaration['stores'][number]): boolean {
  return access === 'write' && (changesWith === undefined || changesWith.some((field) => isOn(operation, field)))
}

/** The first store of a family; undefined if there is none. */
export function storeOf(operation: Operation, family: StoreFamily): string | undefined {
  return storesOf(operation).find((store) => store.family === family)?.name
}

/** Source and target for `run.started`, without passwords. */
export function sourceAndTarget(operation: Operation): { readonly source?: string; readonly target?: string } {
  const stores = storesOf(operation)
  const [source, target] = (['source', 'target'] as const).map((end) => stores.find((store) => store.end === end)?.name)
  return {
    ...(source === undefined ? {} : { source: redactUrl(source) }),
    ...(target === undefined ? {} : { target: redactUrl(target) }),
  }
}

/** URLs of databases, which may contain passwords. */
export function urlsOf(operation: Operation): readonly string[] {
  return storesOf(operation)
    .filter(({ family }) => hasPassword(family))
    .map(({ name }) => name)
}

/** `urlsOf` by command-line flag; if one field has several databases, only the last. */
export function urlsByFlag(operation: Operation): Readonly<Record<string, string>> {
  return Object.fromEntries(
    storesOf(operation)
      .filter(({ family }) => hasPassword(family))
      .map(({ field, family, name }) => [family === 'catalog' ? 'database-url' : field, name]),
  )
}

/** The operation with its database URLs replaced, such as by labels. */
export function withUrls(operation: Operation, urlOf: (name: string) => string): Operation {
  const named = storesOf(operation).filter(({ family }) => hasPassword(family))
  const fields = [...new Set(named.map(({ field }) => field))]
  const renamed = fields.map((field) => {
    const value = valueOf(operation, field)
    return [field, Array.isArray(value) ? textsOf(operation, field).map(urlOf) : urlOf(String(value))]
  })
  return { ...operation, ...(Object.fromEntries(renamed) as object) }
}

/** The operation with its lakes, Delta tables and folders replaced. */
export function withPlaces(operation: Operation, placeOf: (name: string) => string): Operation {
  const fields = new Set(storesOf(operation).flatMap(({ family, field }) => (hasPassword(family) ? [] : [field])))
  const renamed = [...fields].map((field) => {
    const value = valueOf(operation, field)
    return [field, Array.isArray(value) ? textsOf(operation, field).map(placeOf) : placeOf(String(value))]
  })
  return { ...operation, ...(Object.fromEntries(renamed) as object) }
}

/** Subject of the operation: tables as given, or a folder. */
export function subjectsOf(operation: Operation): readonly string[] {
  const fields = subjectFieldsOf(operation.kind)
  return fields.map((field) => textsOf(operation, field)).find((names) => names.length > 0) ?? []
}

/** Fields that may hold the subject of this kind of operation; the first field with a value is used. */
export function subjectFieldsOf(kind: OperationKind): readonly string[] {
  return [declarationOf(kind).about ?? []].flat()
}

/** True if only the plan is requested: then nothing is changed. */
export function isPlanOnly(operation: Operation): boolean {
  const { plans } = declarationOf(operation.kind)
  return plans !== undefined && valueOf(operation, plans) === true
}

/** Output format of the operation's result rows. */
export function rowFormatOf(operation: Operation): RowFormat {
  const { rows } = declarationOf(operation.kind)
  const format = rows === undefined ? undefined : valueOf(operation, rows)
  return format === 'csv' || format === 'json' ? format : 'table'
}

/** True if the operation can be scheduled. */
export function canBeScheduled(operation: Operation): boolean {
  const { comesAgain: when } = declarationOf(operation.kind)
  return when === true || (when !== undefined && valueOf(operation, when) === true)
}

/** The field that makes the operation run until it is stopped; null if the operation ends by itself. */
export function endlessField(operation: Operation): string | null {
  const { endless = [] } = declarationOf(operation.kind)
  return endless.find((field) => isOn(operation, field)) ?? null
}

/** The same operation as plan only; null if it has no plan. */
export function planOf(operation: Operation): Operation | null {
  const { plans } = declarationOf(operation.kind)
  return plans === undefined ? null : { ...operation, [plans]: true }
}

/**
 * What must be typed as confirmation, from the events of the operation's dry run.
 * @returns null if no confirmation is needed; `name` is null if no name is declared
 */
export function confirmationName(
  operation: Operation,
  events: readonly Event[],
): { readonly confirm: string; readonly what: string; readonly name: string | null } | null {
  for (const { what, confirm, asked, named } of destructionsOf(operation)) {
    if (asked === undefined || confirm === undefined) continue
    if (named === undefined) return { confirm, what, name: null }
    const names =
      'event' in named
        ? [...namesIn(events, named), ...(named.or === undefined ? [] : textsOf(operation, named.or))]
        : textsOf(operation, named.field)
    const name = 'event' in named || named.several === undefined || names.length === 1 ? names[0] : named.several
    // The dry run named nothing, so nothing would be destroyed.
    if (name !== undefined) return { confirm, what, name }
  }
  return null
}

/** What the operation destroys; empty for a plan. */
export function destructionsOf(operation: Operation): readonly AnyDestruction[] {
  if (isPlanOnly(operation)) return []
  const { destroys = [] } = declarationOf(operation.kind)
  return destroys.filter(
    ({ when, unless = [] }) =>
      (when === undefined || isOn(operation, when)) && !unless.some((field) => isOn(operation, field)),
  )
}

/**
 * Tests whether `--confirm` has an effect in this operation.
 * @returns null if it has an effect; otherwise the fields of which each alone would give it an effect. Empty if
 * `--confirm` never has an effect in this kind of operation
 */
export function fieldsForConfirm(operation: Operation): readonly string[] | null {
  const { destroys = [] } = declarationOf(operation.kind)
  const held = (destroys as readonly AnyDestruction[]).filter(({ confirm }) => confirm !== undefined)
  if (held.some(({ when }) => when === undefined || isOn(operation, when))) return null
  return held.flatMap(({ when }) => when ?? [])
}

function namesIn(
  events: readonly Event[],
  { event: type, field, where = {} }: Extract<NamedBy<Readonly<Record<string, unknown>>>, { readonly event: string }>,
): readonly string[] {
  return events
    .filter((event) => event.type === type)
    .map((event) => new Map(Object.entries(event)))
    .filter((event) =>
      Object.entries(where).every(([name, value]) => [value].flat().some((one) => one === event.get(name))),
    )
    .flatMap((event) => [event.get(field)])
    .filter((name) => typeof name === 'string')
}

function defaultOf(kind: OperationKind, option: string): unknown {
  const name = commandNameOf(kind)
  const command = commandsOfOperations().find((known) => known.name === name)
  const found = command?.takes.find((taken) => taken.name === option)
  return found?.default ?? found?.fallback
}

function isByHand(words: AnyWords | ByHand): words is ByHand {
  return Array.isArray(words['byHand'])
}

function hasPassword(family: StoreFamily): boolean {
  return family === 'catalog' || family === 'database'
}

function isKind(word: string): word is OperationKind {
  return Object.hasOwn(OPERATIONS, word)
}

function valueOf(operation: Operation, field: string): unknown {
  return Object.entries(operation).find(([name]) => name === field)?.[1]
}

function isOn(operation: Operation, field: string): boolean {
  return ![undefined, false].includes(valueOf(operation, field) as undefined)
}

function textsOf(operation: Operation, field: string): readonly string[] {
  const value = valueOf(operation, field)
  return (Array.isArray(value) ? value : [value]).filter((item) => typeof item === 'string')
}
