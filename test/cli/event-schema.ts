/**
 * The events as a zod schema, made from their types: docs/events.schema.json has it, and every emitted line is
 * validated with it.
 */
import path from 'node:path'
import type { z } from 'zod'
import type { Event, EventType } from '../../src/model/run/event.ts'
import { jsonSchemaOf, schemaOfType } from '../support/type-schema.ts'

const variants = schemaOfType(path.join(import.meta.dirname, '../../src/model/run/event.ts'), 'Event') as z.ZodUnion<
  z.ZodObject<{ type: z.ZodLiteral<EventType> }>[]
>

/** One line of `--json`. */
export const eventSchema = variants as z.ZodType as z.ZodType<Event>

export const EVENT_TYPES: readonly EventType[] = variants.options.map(({ shape }) => shape.type.value)

/** The JSON schema in docs/events.schema.json. */
export const eventJsonSchema = (): string => jsonSchemaOf(variants, 'One line of `sluice … --json`')
