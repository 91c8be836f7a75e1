declare module 'strongroom:agent/log@0.1.0' {
  /**
   * Writes one record.
   */
  export function write(level: Level, message: string, fields: Array<Field>): void;
  /**
   * How much a record matters, least first.
   * # Variants
   *
   * ## `"trace"`
   *
   * Every step.
   * ## `"debug"`
   *
   * What a developer wants to see.
   * ## `"info"`
   *
   * What happened, in the normal course.
   * ## `"warn"`
   *
   * Something unexpected that the agent got over.
   * ## `"error"`
   *
   * Something failed.
   */
  export type Level = 'trace' | 'debug' | 'info' | 'warn' | 'error';
  /**
   * One named value beside the message.
   */
  export interface Field {
    /**
     * The field's name.
     */
    key: string,
    /**
     * The field's value, as text.
     */
    value: string,
  }
}
