/** The document of `sluice sign-off` as a zod schema, made from its type: docs/sign-off.schema.json has it. */
import path from 'node:path'
import type { z } from 'zod'
import type { SignOff } from '../../src/model/follow/sign-off.ts'
import { jsonSchemaOf, schemaOfType } from '../support/type-schema.ts'

const file = path.join(import.meta.dirname, '../../src/model/follow/sign-off.ts')

export const signOffSchema = schemaOfType(file, 'SignOff') as z.ZodType<SignOff>

/** The JSON schema in docs/sign-off.schema.json. */
export const signOffJsonSchema = (): string =>
  jsonSchemaOf(signOffSchema, 'The document of `sluice sign-off --report FILE.json`')
