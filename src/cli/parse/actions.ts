/** Commands whose first operand is an action: `archive list`, `quarantine retry`. */
import { optionNamesOf, type CommandAction } from '../../app/operations/facts.ts'
import type { CommandDeclaration } from '../../engine/run/operations/option.ts'
import { SluiceError } from '../../shared/errors.ts'
import { requiredText, type Arguments } from './arguments.ts'
import { suggested } from '../../shared/closest.ts'
import type { ConfigDefaults } from '../config/config.ts'
import { configuredFor, shownOption } from './option-flags.ts'

/** @throws SluiceError BAD_FLAG for an unknown action, and for flags of other actions */
export function actionOf(
  command: CommandDeclaration,
  actions: readonly CommandAction[],
  args: Arguments,
  defaults: ConfigDefaults,
): CommandAction {
  const word = requiredText(args, 'action')
  const named = actions.filter(({ name }) => name === word)
  const action =
    named.find(({ flag }) => flag !== null && args[flag] === true) ?? named.find(({ flag }) => flag === null)
  if (action !== undefined) {
    refuseOtherFlags(command, action, actions, args, defaults)
    return action
  }
  const known = [...new Set(actions.map(({ name }) => name))]
  throw new SluiceError('BAD_FLAG', `${command.name} has no action ${word}${suggested(word, known)}`, {
    hint: `use one of ${known.join(', ')}`,
  })
}

/** Refuses flags that have no effect on this action. Flags of databases are allowed for all actions. */
function refuseOtherFlags(
  command: CommandDeclaration,
  action: CommandAction,
  actions: readonly CommandAction[],
  args: Arguments,
  defaults: ConfigDefaults,
): void {
  const own = optionNamesOf(action)
  for (const option of command.takes) {
    const { name, completes } = option
    const value = args[name]
    const isUnsaid = value === undefined || value === option.default || value === configuredFor(name, defaults)
    if (isUnsaid || (Array.isArray(value) && value.length === 0)) continue
    if (completes === 'database' || own.has(name)) continue
    const takers = actions.filter((other) => optionNamesOf(other).has(name)).map(actionName)
    if (takers.length === 0) continue
    throw new SluiceError('BAD_FLAG', `${command.name} ${actionName(action)} does not accept ${shownOption(option)}`, {
      hint: `remove it, or use it with ${command.name} ${takers.join(', ')}`,
    })
  }
}

function actionName({ name, flag }: CommandAction): string {
  return flag === null ? name : `${name} --${flag}`
}
