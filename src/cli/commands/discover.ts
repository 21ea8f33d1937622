/** discover: a path is a lake, and a URL a database. */
import { SluiceError } from '../../shared/errors.ts'
import { givenFlag, givenList, requiredText } from '../parse/arguments.ts'
import { EVERY_TABLE } from '../../engine/copy/operations/discover-database/declaration.ts'
import { isCopyUrl } from '../../engine/run/systems.ts'
import { operate, type Command } from './command.ts'
import { splitNames } from '../flags/name-list.ts'
import { placeOr } from '../config/named-stores.ts'

const discover: Command = {
  request: (args, { defaults, env }) => {
    const path = placeOr(requiredText(args, 'path'), defaults, env)
    const patterns = givenList(args, 'tables').flatMap((word) => splitNames('--tables', word))
    if (isCopyUrl(path)) {
      const tables = patterns.length === 0 ? EVERY_TABLE : patterns
      return operate({ kind: 'discover-database', url: path, tables })
    }
    if (patterns.length > 0) {
      throw new SluiceError('BAD_FLAG', '--tables requires the URL of a database', {
        hint: 'give the URL of a database, or remove --tables',
      })
    }
    return operate({
      kind: 'discover',
      path,
      recursive: givenFlag(args, 'recursive'),
      exclude: givenList(args, 'exclude'),
    })
  },
}

export const commands = { discover }
