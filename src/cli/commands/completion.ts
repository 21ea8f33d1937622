/** completion: prints the completion script of a shell. */
import { SluiceError } from '../../shared/errors.ts'
import { requiredText } from '../parse/arguments.ts'
import { suggested } from '../../shared/closest.ts'
import { SCRIPTS, type Shell } from '../completion/scripts.ts'
import type { Command } from './command.ts'

const completion: Command = {
  request: (args) => {
    const word = requiredText(args, 'shell')
    if (isShell(word)) return { kind: 'help', text: SCRIPTS[word] }
    const shells = Object.keys(SCRIPTS)
    throw new SluiceError('BAD_FLAG', `the shell ${word} is not supported${suggested(word, shells)}`, {
      hint: `give one of ${shells.join(', ')}`,
    })
  },
}

function isShell(word: string): word is Shell {
  return Object.hasOwn(SCRIPTS, word)
}

export const commands = { completion }
