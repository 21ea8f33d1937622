/** man: a page of the manual, as roff. */
import { SluiceError } from '../../shared/errors.ts'
import { suggested } from '../../shared/closest.ts'
import { givenText } from '../parse/arguments.ts'
import { commandNamed, COMMANDS } from '../parse/command-list.ts'
import { toolVersion } from '../version.ts'
import { manPage } from '../help/man.ts'
import type { Command } from './command.ts'

const man: Command = {
  request: (args) => {
    const name = givenText(args, 'command')
    if (name === undefined) return { kind: 'help', text: manPage(null, toolVersion()) }
    const command = commandNamed(name)
    if (command !== null) return { kind: 'help', text: manPage(command, toolVersion()) }
    const known = COMMANDS.map((one) => one.name)
    throw new SluiceError('BAD_FLAG', `there is no command ${name}${suggested(name, known)}`, {
      hint: 'sluice --help lists the commands',
    })
  },
}

export const commands = { man }
