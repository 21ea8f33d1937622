/** All commands in the order of the help. Only declarations are loaded for it, which are data: light enough for `sluice --help`. */
import { commandsOfOperations } from '../engine/operations/facts.ts'
import { GROUPS, type CommandDeclaration } from '../engine/operations/option.ts'
import { OWN_COMMANDS } from './own-commands.ts'

const KNOWN = [...commandsOfOperations(), ...OWN_COMMANDS]

export const COMMANDS: readonly CommandDeclaration[] = GROUPS.flatMap((group) =>
  KNOWN.filter((command) => command.group === group),
)

/** The command of a name, or null when there is none. */
export function commandNamed(name: string): CommandDeclaration | null {
  return COMMANDS.find((command) => command.name === name) ?? null
}
