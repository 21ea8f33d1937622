/** Commands as forms: options of each declaration, and which are required. */
import { ACTION_SUMMARIES } from '../../app/operations/action-pages.ts'
import type { CommandForm, FormOption } from '../../app/command-port.ts'
import {
  actionsOf,
  commandNameOf,
  commandsOfOperations,
  declarationOf,
  optionNamesOf,
  type AnyDeclaration,
  type CommandAction,
} from '../../app/operations/facts.ts'
import { OPERATIONS, type OperationKind } from '../../app/operations/list.ts'
import type { CommandDeclaration, Option } from '../../engine/run/operations/option.ts'
import type { OperationWord } from '../../engine/run/operations/words.ts'

const CATALOG: Option = {
  name: 'database-url',
  type: 'text',
  completes: 'database',
  describe: 'URL of the catalog, such as sqlite:///catalog.db',
}

const CONFIG: Option = {
  name: 'config',
  type: 'text',
  completes: 'file',
  group: 'sluice:',
  describe: 'config file: gives values for empty fields, and names of stores',
}

type AnyWords = Readonly<Record<string, OperationWord>>

/** @returns forms in the order of the operations */
export function commandForms(): readonly CommandForm[] {
  return commandsOfOperations().flatMap((command) => {
    const actions = actionsOf(command.name)
    return actions.length === 0 ? [formOfCommand(command)] : actions.map((action) => formOfAction(command, action))
  })
}

function formOfCommand(command: CommandDeclaration): CommandForm {
  const declared = (Object.keys(OPERATIONS) as OperationKind[])
    .filter((kind) => commandNameOf(kind) === command.name)
    .map(declarationOf)
  const words = declared.length === 1 ? ((declared[0]?.words ?? {}) as AnyWords) : {}
  return {
    words: [command.name],
    summary: command.summary,
    group: command.group,
    takes: formOptions(command, command.takes, words, declared),
    reads: declared.every(({ display }) => display === 'listing'),
  }
}

function formOfAction(command: CommandDeclaration, action: CommandAction): CommandForm {
  const { name, flag, kind, words } = action
  const own = optionNamesOf(action)
  const takes = command.takes.filter(
    (option) =>
      option.name !== 'action' && option.name !== flag && (own.has(option.name) || option.completes === 'database'),
  )
  const declaration = declarationOf(kind)
  const key = [command.name, name, ...(flag === null ? [] : [`--${flag}`])]
  return {
    words: key,
    summary: ACTION_SUMMARIES[key.join(' ')] ?? command.summary,
    group: command.group,
    takes: formOptions(command, takes, words ?? {}, [declaration]),
    reads: declaration.display === 'listing',
  }
}

/** Options of a form: operands, the catalog if the command uses one, other options, `--config`. */
function formOptions(
  { operands }: CommandDeclaration,
  takes: readonly Option[],
  words: AnyWords,
  declared: readonly AnyDeclaration[],
): readonly FormOption[] {
  const wanted = new Set(
    Object.values(words).flatMap((word) => ('required' in word && 'option' in word ? [word.option] : [])),
  )
  const tables = Object.values(words).some(({ as }) => as === 'one table' || as === 'some tables')
  const needed = ({ name, operand, required, default: own, fallback, shown }: Option): boolean => {
    const countsUnsaid = own ?? fallback ?? shown
    return (
      required === true ||
      (wanted.has(name) && countsUnsaid === undefined) ||
      (tables && name === 'table') ||
      (operand === true && (operands.includes(`<${name}>`) || operands.includes(`<${name}..>`)))
    )
  }
  const given = takes
    .filter((option) => option.hidden !== true && !isConfirmation(option, declared))
    .map((option) => ({ ...option, needed: needed(option) }))
  const inCatalog = declared.some(({ stores }) => stores.some(({ family }) => family === 'catalog'))
  const catalogNeeded = Object.values(words).some((word) => word.as === 'catalog' && word.required === true)
  return [
    ...given.filter(({ operand }) => operand === true),
    ...(inCatalog ? [{ ...CATALOG, needed: catalogNeeded }] : []),
    ...given.filter(({ operand }) => operand !== true),
    { ...CONFIG, needed: false },
  ]
}

/** True for `--dry-run` and confirmations, which forms omit: the plan is always shown, and confirmed below it. */
function isConfirmation({ name }: Option, declared: readonly AnyDeclaration[]): boolean {
  return declared.some(
    ({ plans, destroys = [] }) =>
      (plans !== undefined && name === 'dry-run') ||
      destroys.some(({ asked, confirm }) => asked !== undefined && confirm === name),
  )
}
