"""the sky: rounds, flights, frames, detections, coverage, effect"""

from alembic import op
import sqlalchemy as sa

from patrol.models.base import Moment


revision = '0002'
down_revision = '0001'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column('sighting', sa.Column('trust', sa.Double(), nullable=True))
    op.create_table('round',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('no', sa.Integer(), nullable=False),
    sa.Column('due_on', sa.Date(), nullable=True),
    sa.Column('opened_at', Moment(), nullable=False),
    sa.Column('settled_at', Moment(), nullable=True),
    sa.Column('words', sa.String(), nullable=False),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_round')),
    sa.UniqueConstraint('no', name=op.f('uq_round_no'))
    )
    op.create_table('coverage',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('round_id', sa.Integer(), nullable=False),
    sa.Column('area', sa.String(length=32), nullable=False),
    sa.Column('area_m2', sa.Double(), nullable=False),
    sa.Column('seen', sa.Double(), nullable=True),
    sa.Column('seen_twice', sa.Double(), nullable=True),
    sa.Column('complete', sa.Boolean(), nullable=False),
    sa.Column('gaps', sa.JSON(), nullable=False),
    sa.Column('unflyable_m2', sa.Double(), nullable=False),
    sa.Column('words', sa.String(), nullable=False),
    sa.Column('at', Moment(), nullable=False),
    sa.ForeignKeyConstraint(['round_id'], ['round.id'], name=op.f('fk_coverage_round_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_coverage')),
    sa.UniqueConstraint('round_id', 'area', name=op.f('uq_coverage_round_id_area'))
    )
    op.create_table('flight',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('ref', sa.String(length=36), nullable=False),
    sa.Column('round_id', sa.Integer(), nullable=False),
    sa.Column('source', sa.String(length=16), nullable=False),
    sa.Column('state', sa.String(length=16), nullable=False),
    sa.Column('approval', sa.String(length=64), nullable=False),
    sa.Column('drone', sa.String(length=64), nullable=False),
    sa.Column('pilot', sa.String(length=64), nullable=False),
    sa.Column('zone', sa.String(length=40), nullable=False),
    sa.Column('planned_on', sa.Date(), nullable=True),
    sa.Column('opened_at', Moment(), nullable=False),
    sa.Column('received_at', Moment(), nullable=True),
    sa.Column('landed_at', Moment(), nullable=True),
    sa.Column('settled_at', Moment(), nullable=True),
    sa.Column('person_id', sa.Integer(), nullable=True),
    sa.Column('digest', sa.String(length=64), nullable=True),
    sa.Column('live', sa.Boolean(), nullable=False),
    sa.Column('live_key', sa.String(length=64), nullable=False),
    sa.Column('quiet_at', Moment(), nullable=True),
    sa.Column('log', sa.JSON(), nullable=True),
    sa.Column('warnings', sa.JSON(), nullable=False),
    sa.ForeignKeyConstraint(['person_id'], ['person.id'], name=op.f('fk_flight_person_id')),
    sa.ForeignKeyConstraint(['round_id'], ['round.id'], name=op.f('fk_flight_round_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_flight')),
    sa.UniqueConstraint('digest', name=op.f('uq_flight_digest')),
    sa.UniqueConstraint('ref', name=op.f('uq_flight_ref'))
    )
    with op.batch_alter_table('flight', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_flight_quiet_at'), ['quiet_at'], unique=False)
        batch_op.create_index(batch_op.f('ix_flight_round_id'), ['round_id'], unique=False)

    op.create_table('unflyable',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('round_id', sa.Integer(), nullable=True),
    sa.Column('outline', sa.JSON(), nullable=False),
    sa.Column('reason', sa.String(), nullable=False),
    sa.Column('person_id', sa.Integer(), nullable=True),
    sa.Column('at', Moment(), nullable=False),
    sa.ForeignKeyConstraint(['person_id'], ['person.id'], name=op.f('fk_unflyable_person_id')),
    sa.ForeignKeyConstraint(['round_id'], ['round.id'], name=op.f('fk_unflyable_round_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_unflyable'))
    )
    with op.batch_alter_table('unflyable', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_unflyable_round_id'), ['round_id'], unique=False)

    op.create_table('frame',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('ref', sa.String(length=36), nullable=False),
    sa.Column('flight_id', sa.Integer(), nullable=False),
    sa.Column('sha256', sa.String(length=64), nullable=False),
    sa.Column('name', sa.String(length=160), nullable=False),
    sa.Column('bytes', sa.BigInteger(), nullable=False),
    sa.Column('kind', sa.String(length=8), nullable=False),
    sa.Column('state', sa.String(length=12), nullable=False),
    sa.Column('error', sa.String(), nullable=False),
    sa.Column('received_at', Moment(), nullable=False),
    sa.Column('read_at', Moment(), nullable=True),
    sa.Column('taken_at', Moment(), nullable=True),
    sa.Column('taken_words', sa.String(length=40), nullable=True),
    sa.Column('lon', sa.Double(), nullable=True),
    sa.Column('lat', sa.Double(), nullable=True),
    sa.Column('ce90_m', sa.Double(), nullable=True),
    sa.Column('method', sa.String(length=16), nullable=True),
    sa.Column('pose', sa.JSON(), nullable=True),
    sa.Column('footprint', sa.JSON(), nullable=True),
    sa.Column('footprint_ce90_m', sa.Double(), nullable=True),
    sa.Column('faults', sa.JSON(), nullable=False),
    sa.Column('facts', sa.JSON(), nullable=False),
    sa.ForeignKeyConstraint(['flight_id'], ['flight.id'], name=op.f('fk_frame_flight_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_frame')),
    sa.UniqueConstraint('flight_id', 'sha256', name=op.f('uq_frame_flight_id_sha256')),
    sa.UniqueConstraint('ref', name=op.f('uq_frame_ref'))
    )
    with op.batch_alter_table('frame', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_frame_sha256'), ['sha256'], unique=False)
        batch_op.create_index('ix_frame_state', ['flight_id', 'state'], unique=False)

    op.create_table('upload',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('ref', sa.String(length=36), nullable=False),
    sa.Column('flight_id', sa.Integer(), nullable=False),
    sa.Column('name', sa.String(length=160), nullable=False),
    sa.Column('bytes', sa.BigInteger(), nullable=False),
    sa.Column('sha256', sa.String(length=64), nullable=False),
    sa.Column('state', sa.String(length=12), nullable=False),
    sa.Column('at', Moment(), nullable=False),
    sa.ForeignKeyConstraint(['flight_id'], ['flight.id'], name=op.f('fk_upload_flight_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_upload')),
    sa.UniqueConstraint('flight_id', 'sha256', name=op.f('uq_upload_flight_id_sha256')),
    sa.UniqueConstraint('ref', name=op.f('uq_upload_ref'))
    )
    with op.batch_alter_table('upload', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_upload_flight_id'), ['flight_id'], unique=False)

    op.create_table('effect',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('ref', sa.String(length=36), nullable=False),
    sa.Column('issue_id', sa.Integer(), nullable=False),
    sa.Column('before_id', sa.Integer(), nullable=False),
    sa.Column('after_id', sa.Integer(), nullable=False),
    sa.Column('verdict', sa.String(length=16), nullable=False),
    sa.Column('facts', sa.JSON(), nullable=False),
    sa.Column('before_sha256', sa.String(length=64), nullable=True),
    sa.Column('after_sha256', sa.String(length=64), nullable=True),
    sa.Column('bounds', sa.JSON(), nullable=True),
    sa.Column('at', Moment(), nullable=False),
    sa.ForeignKeyConstraint(['after_id'], ['frame.id'], name=op.f('fk_effect_after_id')),
    sa.ForeignKeyConstraint(['before_id'], ['frame.id'], name=op.f('fk_effect_before_id')),
    sa.ForeignKeyConstraint(['issue_id'], ['issue.id'], name=op.f('fk_effect_issue_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_effect')),
    sa.UniqueConstraint('issue_id', 'before_id', 'after_id', name=op.f('uq_effect_issue_id_before_id_after_id')),
    sa.UniqueConstraint('ref', name=op.f('uq_effect_ref'))
    )
    with op.batch_alter_table('effect', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_effect_issue_id'), ['issue_id'], unique=False)

    op.create_table('episode',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('ref', sa.String(length=36), nullable=False),
    sa.Column('zone', sa.String(length=64), nullable=False),
    sa.Column('state', sa.JSON(), nullable=False),
    sa.Column('lon', sa.Double(), nullable=False),
    sa.Column('lat', sa.Double(), nullable=False),
    sa.Column('frames', sa.Integer(), nullable=False),
    sa.Column('first_at', Moment(), nullable=False),
    sa.Column('last_at', Moment(), nullable=False),
    sa.Column('warned_at', Moment(), nullable=True),
    sa.Column('sighting_id', sa.Integer(), nullable=True),
    sa.Column('acknowledged_at', Moment(), nullable=True),
    sa.Column('acknowledged_by', sa.Integer(), nullable=True),
    sa.ForeignKeyConstraint(['acknowledged_by'], ['person.id'], name=op.f('fk_episode_acknowledged_by')),
    sa.ForeignKeyConstraint(['sighting_id'], ['sighting.id'], name=op.f('fk_episode_sighting_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_episode')),
    sa.UniqueConstraint('ref', name=op.f('uq_episode_ref'))
    )
    with op.batch_alter_table('episode', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_episode_last_at'), ['last_at'], unique=False)
        batch_op.create_index(batch_op.f('ix_episode_sighting_id'), ['sighting_id'], unique=False)

    op.create_table('drone',
    sa.Column('sn', sa.String(length=64), nullable=False),
    sa.Column('gateway', sa.String(length=64), nullable=False),
    sa.Column('model', sa.String(length=32), nullable=False),
    sa.Column('online', sa.Boolean(), nullable=False),
    sa.Column('lon', sa.Double(), nullable=True),
    sa.Column('lat', sa.Double(), nullable=True),
    sa.Column('height_m', sa.Double(), nullable=True),
    sa.Column('above_takeoff_m', sa.Double(), nullable=True),
    sa.Column('placed_at', Moment(), nullable=True),
    sa.Column('seen_at', Moment(), nullable=False),
    sa.PrimaryKeyConstraint('sn', name=op.f('pk_drone'))
    )
    with op.batch_alter_table('drone', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_drone_gateway'), ['gateway'], unique=False)

    op.create_table('media',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('digest', sa.String(length=64), nullable=False),
    sa.Column('gateway', sa.String(length=64), nullable=False),
    sa.Column('object_key', sa.String(length=512), nullable=False),
    sa.Column('flight_key', sa.String(length=64), nullable=False),
    sa.Column('drone', sa.String(length=64), nullable=False),
    sa.Column('state', sa.String(length=12), nullable=False),
    sa.Column('facts', sa.JSON(), nullable=False),
    sa.Column('error', sa.String(), nullable=False),
    sa.Column('tries', sa.Integer(), nullable=False),
    sa.Column('at', Moment(), nullable=False),
    sa.Column('due_at', Moment(), nullable=False),
    sa.Column('frame_id', sa.Integer(), nullable=True),
    sa.ForeignKeyConstraint(['frame_id'], ['frame.id'], name=op.f('fk_media_frame_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_media')),
    sa.UniqueConstraint('digest', name=op.f('uq_media_digest'))
    )
    with op.batch_alter_table('media', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_media_flight_key'), ['flight_key'], unique=False)
        batch_op.create_index('ix_media_due', ['state', 'due_at'], unique=False)

    op.create_table('watch',
    sa.Column('name', sa.String(length=32), nullable=False),
    sa.Column('state', sa.JSON(), nullable=False),
    sa.Column('at', Moment(), nullable=False),
    sa.PrimaryKeyConstraint('name', name=op.f('pk_watch'))
    )
    op.create_table('thing',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('ref', sa.String(length=36), nullable=False),
    sa.Column('round_id', sa.Integer(), nullable=False),
    sa.Column('kind', sa.String(length=32), nullable=False),
    sa.Column('state', sa.String(length=12), nullable=False),
    sa.Column('why', sa.String(length=32), nullable=False),
    sa.Column('merged_into', sa.Integer(), nullable=True),
    sa.Column('sighting_id', sa.Integer(), nullable=True),
    sa.Column('lon', sa.Double(), nullable=False),
    sa.Column('lat', sa.Double(), nullable=False),
    sa.Column('cov_en_m2', sa.JSON(), nullable=False),
    sa.Column('ce90_m', sa.Double(), nullable=False),
    sa.Column('cell', sa.BigInteger(), nullable=False),
    sa.Column('outline', sa.JSON(), nullable=True),
    sa.Column('area_m2', sa.Double(), nullable=True),
    sa.Column('score', sa.Double(), nullable=False),
    sa.Column('frames', sa.Integer(), nullable=False),
    sa.Column('first_at', Moment(), nullable=False),
    sa.Column('last_at', Moment(), nullable=False),
    sa.Column('reviewer_id', sa.Integer(), nullable=True),
    sa.ForeignKeyConstraint(['merged_into'], ['thing.id'], name=op.f('fk_thing_merged_into')),
    sa.ForeignKeyConstraint(['reviewer_id'], ['person.id'], name=op.f('fk_thing_reviewer_id')),
    sa.ForeignKeyConstraint(['round_id'], ['round.id'], name=op.f('fk_thing_round_id')),
    sa.ForeignKeyConstraint(['sighting_id'], ['sighting.id'], name=op.f('fk_thing_sighting_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_thing')),
    sa.UniqueConstraint('ref', name=op.f('uq_thing_ref'))
    )
    with op.batch_alter_table('thing', schema=None) as batch_op:
        batch_op.create_index('ix_thing_near', ['round_id', 'kind', 'cell'], unique=False)
        batch_op.create_index(batch_op.f('ix_thing_sighting_id'), ['sighting_id'], unique=False)
        batch_op.create_index('ix_thing_state', ['state', 'last_at'], unique=False)

    op.create_table('detection',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('ref', sa.String(length=36), nullable=False),
    sa.Column('frame_id', sa.Integer(), nullable=False),
    sa.Column('thing_id', sa.Integer(), nullable=True),
    sa.Column('episode_id', sa.Integer(), nullable=True),
    sa.Column('kind', sa.String(length=32), nullable=False),
    sa.Column('score', sa.Double(), nullable=False),
    sa.Column('recognised_by', sa.String(length=80), nullable=False),
    sa.Column('box', sa.JSON(), nullable=True),
    sa.Column('lon', sa.Double(), nullable=False),
    sa.Column('lat', sa.Double(), nullable=False),
    sa.Column('cov_en_m2', sa.JSON(), nullable=False),
    sa.Column('ce90_m', sa.Double(), nullable=False),
    sa.Column('outline', sa.JSON(), nullable=True),
    sa.Column('area_m2', sa.Double(), nullable=True),
    sa.Column('facts', sa.JSON(), nullable=False),
    sa.Column('warnings', sa.JSON(), nullable=False),
    sa.Column('at', Moment(), nullable=False),
    sa.ForeignKeyConstraint(['episode_id'], ['episode.id'], name=op.f('fk_detection_episode_id')),
    sa.ForeignKeyConstraint(['frame_id'], ['frame.id'], name=op.f('fk_detection_frame_id')),
    sa.ForeignKeyConstraint(['thing_id'], ['thing.id'], name=op.f('fk_detection_thing_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_detection')),
    sa.UniqueConstraint('ref', name=op.f('uq_detection_ref'))
    )
    with op.batch_alter_table('detection', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_detection_episode_id'), ['episode_id'], unique=False)
        batch_op.create_index(batch_op.f('ix_detection_frame_id'), ['frame_id'], unique=False)
        batch_op.create_index(batch_op.f('ix_detection_thing_id'), ['thing_id'], unique=False)


def downgrade() -> None:
    with op.batch_alter_table('detection', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_detection_thing_id'))
        batch_op.drop_index(batch_op.f('ix_detection_frame_id'))
        batch_op.drop_index(batch_op.f('ix_detection_episode_id'))

    op.drop_table('detection')
    with op.batch_alter_table('thing', schema=None) as batch_op:
        batch_op.drop_index('ix_thing_state')
        batch_op.drop_index(batch_op.f('ix_thing_sighting_id'))
        batch_op.drop_index('ix_thing_near')

    op.drop_table('thing')
    op.drop_table('watch')
    with op.batch_alter_table('media', schema=None) as batch_op:
        batch_op.drop_index('ix_media_due')
        batch_op.drop_index(batch_op.f('ix_media_flight_key'))

    op.drop_table('media')
    with op.batch_alter_table('drone', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_drone_gateway'))

    op.drop_table('drone')
    with op.batch_alter_table('episode', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_episode_sighting_id'))
        batch_op.drop_index(batch_op.f('ix_episode_last_at'))

    op.drop_table('episode')
    with op.batch_alter_table('effect', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_effect_issue_id'))

    op.drop_table('effect')
    with op.batch_alter_table('upload', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_upload_flight_id'))

    op.drop_table('upload')
    with op.batch_alter_table('frame', schema=None) as batch_op:
        batch_op.drop_index('ix_frame_state')
        batch_op.drop_index(batch_op.f('ix_frame_sha256'))

    op.drop_table('frame')
    with op.batch_alter_table('unflyable', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_unflyable_round_id'))

    op.drop_table('unflyable')
    with op.batch_alter_table('flight', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_flight_round_id'))
        batch_op.drop_index(batch_op.f('ix_flight_quiet_at'))

    op.drop_table('flight')
    op.drop_table('coverage')
    op.drop_table('round')
    with op.batch_alter_table('sighting', schema=None) as batch_op:
        batch_op.drop_column('trust')
