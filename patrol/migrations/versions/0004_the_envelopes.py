"""the envelopes: keys with two sides, shares apart from their bodies, openings by two, what was erased"""

from alembic import op
import sqlalchemy as sa

from patrol.models.base import Moment


revision = '0004'
down_revision = '0003'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column('sighting', sa.Column('erased', sa.JSON(), nullable=False, server_default='[]'))
    op.create_table('seal_key',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('key_id', sa.String(length=16), nullable=False),
    sa.Column('public', sa.LargeBinary(), nullable=False),
    sa.Column('person_id', sa.Integer(), nullable=False),
    sa.Column('duty', sa.String(length=8), nullable=False),
    sa.Column('side', sa.String(length=1), nullable=False),
    sa.Column('state', sa.String(length=8), nullable=False),
    sa.Column('made_at', Moment(), nullable=False),
    sa.Column('vouched_by', sa.Integer(), nullable=True),
    sa.Column('lost_at', Moment(), nullable=True),
    sa.ForeignKeyConstraint(['person_id'], ['person.id'], name=op.f('fk_seal_key_person_id')),
    sa.ForeignKeyConstraint(['vouched_by'], ['person.id'], name=op.f('fk_seal_key_vouched_by')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_seal_key')),
    sa.UniqueConstraint('key_id', name=op.f('uq_seal_key_key_id'))
    )
    op.create_index(op.f('ix_seal_key_person_id'), 'seal_key', ['person_id'])
    op.create_table('seal_share',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('envelope', sa.String(length=64), nullable=False),
    sa.Column('key_id', sa.String(length=16), nullable=False),
    sa.Column('wrapped', sa.LargeBinary(), nullable=False),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_seal_share')),
    sa.UniqueConstraint('envelope', 'key_id', name=op.f('uq_seal_share_envelope_key_id'))
    )
    op.create_index(op.f('ix_seal_share_key_id'), 'seal_share', ['key_id'])
    op.create_table('opening',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('ref', sa.String(length=36), nullable=False),
    sa.Column('sighting_id', sa.Integer(), nullable=False),
    sa.Column('reason', sa.String(), nullable=False),
    sa.Column('side', sa.String(length=1), nullable=False),
    sa.Column('asked_by', sa.Integer(), nullable=False),
    sa.Column('asked_at', Moment(), nullable=False),
    sa.Column('ends_at', Moment(), nullable=False),
    sa.Column('opened_by', sa.Integer(), nullable=True),
    sa.Column('opened_at', Moment(), nullable=True),
    sa.ForeignKeyConstraint(['asked_by'], ['person.id'], name=op.f('fk_opening_asked_by')),
    sa.ForeignKeyConstraint(['opened_by'], ['person.id'], name=op.f('fk_opening_opened_by')),
    sa.ForeignKeyConstraint(['sighting_id'], ['sighting.id'], name=op.f('fk_opening_sighting_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_opening')),
    sa.UniqueConstraint('ref', name=op.f('uq_opening_ref'))
    )
    op.create_index(op.f('ix_opening_sighting_id'), 'opening', ['sighting_id'])
    op.create_table('opening_share',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('opening_id', sa.Integer(), nullable=False),
    sa.Column('envelope', sa.String(length=64), nullable=False),
    sa.Column('key_id', sa.String(length=16), nullable=False),
    sa.Column('wrapped', sa.LargeBinary(), nullable=False),
    sa.ForeignKeyConstraint(['opening_id'], ['opening.id'], name=op.f('fk_opening_share_opening_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_opening_share'))
    )
    op.create_index('ix_opening_share_opening', 'opening_share', ['opening_id'])


def downgrade() -> None:
    for table in ('opening_share', 'opening', 'seal_share', 'seal_key'):
        op.drop_table(table)
    with op.batch_alter_table('sighting', schema=None) as batch_op:
        batch_op.drop_column('erased')
