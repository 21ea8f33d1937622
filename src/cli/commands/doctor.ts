/** doctor: its flags. */
import { given, givenText } from '../parse/arguments.ts'
import { isCopyUrl } from '../../engine/run/systems.ts'
import { placeOr } from '../config/named-stores.ts'
import { operate, type Command } from './command.ts'

const doctor: Command = {
  request: (args, context) => {
    const place = givenText(args, 'path')
    const word = place === undefined ? undefined : placeOr(place, context.defaults, context.env)
    if (word !== undefined && isCopyUrl(word)) return operate({ kind: 'doctor', catalog: word }, { printed: {} })
    return operate({
      kind: 'doctor',
      ...given('catalog', context.optionalCatalog()),
      ...given('path', word),
    })
  },
}

export const commands = { doctor }
