/** grants: statements that grant rights in a catalog, or in the database of a queue, depending on the role. */
import { ACCESS_LEVELS, QUEUE_ROLES } from '../../engine/lake/operations/grants/declaration.ts'
import { SluiceError } from '../../shared/errors.ts'
import { exclusive, givenFlag, givenText, requiredText } from '../parse/arguments.ts'
import { chooseQueue } from '../flags/queue-choice.ts'
import { operate, type Command } from './command.ts'

const grants: Command = {
  request: (args, { catalog, defaults, env }) => {
    const [wanted, to, apply] = [requiredText(args, 'role'), requiredText(args, 'to'), givenFlag(args, 'apply')]
    const ofQueue = QUEUE_ROLES.find((role) => role === wanted)
    if (ofQueue !== undefined) {
      refuseFlag(args, 'database-url', wanted, '--connect names the database of a queue')
      const connect = chooseQueue(args, defaults, env)
      return operate({ kind: 'queue-grants', connect, role: ofQueue, to, apply }, { printed: { env } })
    }
    const role = ACCESS_LEVELS.find((level) => level === wanted)
    if (role === undefined)
      throw new SluiceError('BAD_FLAG', `--role ${wanted} is not a role`, {
        hint: `give one of ${[...ACCESS_LEVELS, ...QUEUE_ROLES].join(', ')}`,
      })
    refuseFlag(args, 'connect', wanted, '--database-url names a catalog')
    return operate({ kind: 'grants', catalog: catalog(), role, to, apply })
  },
}

/** @throws SluiceError BAD_FLAG */
function refuseFlag(args: Parameters<typeof givenFlag>[0], name: string, role: string, hint: string): void {
  if (givenText(args, name) === undefined) return
  const roles = (name === 'connect' ? QUEUE_ROLES : ACCESS_LEVELS).join(', ')
  throw exclusive(`--role ${role}`, `--${name}`, `${hint}; roles with --${name} are ${roles}`)
}

export const commands = { grants }
